//! How much slower than this computer's own processor emulation is, measured with the same loop on both sides.

use crate::{
    native,
    payload::Payload,
    run::{Outcome, Run, run},
};
use nestbox_model::Accelerator;
use std::{path::Path, time::Duration};

/// Enough for some 150–400 ms of emulation on a computer of 2024.
const ITERATIONS: u64 = 12_000_000;
/// Rounds; the median counts.
const ROUNDS: usize = 3;
/// A single emulated run longer than this is not repeated.
const LONG: Duration = Duration::from_millis(1500);
const DEADLINE: Duration = Duration::from_secs(10);

/// How many times longer the loop takes emulated than native: the median of a few rounds, each with its own native
/// run right before, so that a busy computer slows both. Starting QEMU is measured alike and taken off.
/// `None` when it can't be said.
pub(crate) async fn slowdown(qemu: &Path, payload: Payload, cpu_model: &str) -> Option<f64> {
    if !payload.measures() {
        return None;
    }
    let timed = |iterations: u64| {
        run(Run {
            qemu,
            payload,
            accelerator: Accelerator::Tcg,
            cpu_model,
            iterations,
            deadline: DEADLINE,
        })
    };
    let mut ratios = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let native = tokio::task::spawn_blocking(|| native::time_loop(ITERATIONS))
            .await
            .ok()??;
        let (Outcome::Passed(empty), Outcome::Passed(full)) = (timed(0).await, timed(ITERATIONS).await)
        else {
            return None;
        };
        let emulated = full.checked_sub(empty)?;
        ratios.push(emulated.as_secs_f64() / native.as_secs_f64().max(1e-6));
        if full > LONG {
            break;
        }
    }
    let middle = median(&mut ratios)?;
    // Below one it is noise: emulation is never quicker.
    (middle.is_finite() && middle >= 1.0).then(|| (middle * 10.0).round() / 10.0)
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_middle_one_counts() {
        assert_eq!(median(&mut [9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&mut [3.0]), Some(3.0));
        assert_eq!(median(&mut []), None);
    }
}
