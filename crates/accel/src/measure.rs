//! How much slower than this computer's own processor emulation is, measured with the same loop on both sides.

use crate::{
    native,
    payload::Payload,
    run::{Outcome, Run, run},
};
use nestbox_model::Accelerator;
use std::{path::Path, time::Duration};

/// How often the loop runs: some 15 ms of a processor of 2024, 150–400 ms of its emulation.
pub(crate) const ITERATIONS: u64 = 12_000_000;
/// Emulated runs with and without the loop.
const ROUNDS: usize = 3;
/// Native runs before each round.
const NATIVE_RUNS: usize = 3;
/// A single emulated run longer than this is not repeated.
const LONG: Duration = Duration::from_millis(1500);
const DEADLINE: Duration = Duration::from_secs(10);

/// How many times longer the loop takes emulated than native. Starting QEMU is measured alike and taken off. The
/// quickest of a few rounds counts on every side, with native runs spread between the emulated ones: that is
/// the least disturbed by whatever else the computer does. `None` when it can't be said.
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
    let (mut native, mut empty, mut full) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        for _ in 0..NATIVE_RUNS {
            let took = tokio::task::spawn_blocking(|| native::time_loop(ITERATIONS))
                .await
                .ok()??;
            native = native.min(took);
        }
        let (Outcome::Passed(without), Outcome::Passed(with)) = (timed(0).await, timed(ITERATIONS).await)
        else {
            return None;
        };
        (empty, full) = (empty.min(without), full.min(with));
        if full > LONG {
            break;
        }
    }
    ratio(full.checked_sub(empty)?, native)
}

/// To one decimal; below one it is noise, as emulation is never quicker.
fn ratio(emulated: Duration, native: Duration) -> Option<f64> {
    let times = emulated.as_secs_f64() / native.as_secs_f64().max(1e-6);
    (times >= 1.0).then(|| (times * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_rounded_and_never_below_one() {
        let millis = Duration::from_millis;
        assert_eq!(ratio(millis(123), millis(13)), Some(9.5));
        assert_eq!(ratio(millis(10), millis(13)), None);
        assert_eq!(ratio(Duration::ZERO, Duration::ZERO), None);
    }
}
