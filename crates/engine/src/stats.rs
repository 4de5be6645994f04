//! What machines use, sampled only while something runs and someone asks.

use crate::Engine;
use crate::machine::MachineRef;
use nestbox_model::{HostUsage, MachineId, Result, Stats, Usage};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Samples are taken this often while someone asks.
const EVERY: Duration = Duration::from_secs(1);
/// Sampling stops this long after the last question.
const ATTENTION: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(crate) struct Sampler(Mutex<SamplerState>);

#[derive(Default)]
struct SamplerState {
    asked: Option<Instant>,
    last: HashMap<MachineId, (Instant, nestbox_qemu::Counters)>,
    usage: HashMap<MachineId, Usage>,
    host_ticks: Option<(Instant, f64)>,
    host_cpu: f64,
}

impl Engine {
    pub(crate) fn spawn_sampler(&self) {
        let weak = std::sync::Arc::downgrade(&self.0);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(inner) = weak.upgrade() else { return };
                let engine = Engine(inner);
                if engine.sampler().asked.is_some_and(|at| at.elapsed() < ATTENTION) {
                    engine.sample().await;
                }
            }
        });
    }

    fn sampler(&self) -> std::sync::MutexGuard<'_, SamplerState> {
        self.0.stats.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sample(&self) {
        for handle in self.handles() {
            let Ok(session) = handle.session() else {
                let mut sampler = self.sampler();
                sampler.last.remove(&handle.id);
                sampler.usage.remove(&handle.id);
                continue;
            };
            let Ok(now) = session.counters().await else {
                continue;
            };
            let at = Instant::now();
            let mut sampler = self.sampler();
            if let Some((before_at, before)) = sampler.last.get(&handle.id) {
                let seconds = (at - *before_at).as_secs_f64().max(1e-3);
                let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
                let usage = Usage {
                    id: handle.id.to_string(),
                    cpu: ((now.cpu_seconds - before.cpu_seconds) / seconds).max(0.0),
                    memory_resident: now.memory_resident,
                    disk_read_bps: rate(now.disk_read_bytes, before.disk_read_bytes),
                    disk_write_bps: rate(now.disk_written_bytes, before.disk_written_bytes),
                    net_rx_bps: None,
                    net_tx_bps: None,
                };
                sampler.usage.insert(handle.id.clone(), usage);
            }
            sampler.last.insert(handle.id.clone(), (at, now));
        }
        if let Some(busy) = host_busy_seconds() {
            let mut sampler = self.sampler();
            let at = Instant::now();
            if let Some((before_at, before)) = sampler.host_ticks {
                sampler.host_cpu = ((busy - before) / (at - before_at).as_secs_f64().max(1e-3)).max(0.0);
            }
            sampler.host_ticks = Some((at, busy));
        }
    }

    /// What runs uses now, of one machine or all. The first question starts the sampling, so its rates come with the
    /// second.
    pub async fn stats(&self, wanted: Option<MachineRef<'_>>) -> Result<Stats> {
        let only = wanted
            .map(|wanted| self.find(wanted))
            .transpose()?
            .map(|handle| handle.id.clone());
        let first = {
            let mut sampler = self.sampler();
            let cold = sampler.asked.is_none_or(|at| at.elapsed() >= ATTENTION);
            sampler.asked = Some(Instant::now());
            cold
        };
        if first {
            self.sample().await;
            tokio::time::sleep(Duration::from_millis(250)).await;
            self.sample().await;
        }
        let sampler = self.sampler();
        let machines = sampler
            .usage
            .values()
            .filter(|usage| only.as_ref().is_none_or(|id| usage.id == id.as_str()))
            .cloned()
            .collect();
        let (memory, memory_free) = crate::doctor::host_memory();
        let host = HostUsage {
            cpu: sampler.host_cpu,
            cpus: crate::hardware::host_cpus(),
            memory,
            memory_free,
            disk_free: crate::doctor::disk_space(self.layout().home()).map_or(0, |(free, _)| free),
        };
        Ok(Stats { host, machines })
    }
}

/// Seconds all processors of this computer were busy since it started: proc(5), `/proc/stat`, in ticks of 1/100 s.
#[cfg(target_os = "linux")]
fn host_busy_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<f64> = stat
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .filter_map(|f| f.parse().ok())
        .collect();
    let idle = fields.get(3)? + fields.get(4)?;
    Some((fields.iter().take(8).sum::<f64>() - idle) / 100.0)
}

#[cfg(not(target_os = "linux"))]
fn host_busy_seconds() -> Option<f64> {
    None
}
