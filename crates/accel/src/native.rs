//! The payloads' measuring loop on this computer's own processor, to compare emulation with.
//!
//! Per iteration some 25 instructions: arithmetic, two loads and a store in 32 KiB, a branch taken seven times in eight, a
//! call. That is integer code; floating point and devices are slower still under emulation.

use std::time::Duration;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::time::Instant;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const BUFFER: usize = 32 * 1024 / 8;

/// Runs the loop `iterations` times on this thread and says how long it took; `None` on processors it is not
/// written for, or for zero iterations.
#[cfg(target_arch = "x86_64")]
pub(crate) fn time_loop(iterations: u64) -> Option<Duration> {
    if iterations == 0 {
        return None;
    }
    let mut buffer = vec![0_u64; BUFFER];
    let start = Instant::now();
    // SAFETY: every access is at `rdi` plus an offset masked with 0x7ff8, so inside the 32 KiB buffer, which outlives
    // the block; `call` uses the stack, which the compiler allows for as the block is not `nostack`; all
    // registers written are declared.
    unsafe {
        std::arch::asm!(
            "xor eax, eax",
            "xor r8d, r8d",
            "movabs r9, 0x9e3779b97f4a7c15",
            "3:",
            "add rax, r9",
            "mov rcx, rax",
            "shr rcx, 29",
            "xor rcx, rax",
            "mov edx, ecx",
            "and edx, 0x7ff8",
            "mov rsi, [rdi + rdx]",
            "mov rdx, rcx",
            "shr rdx, 15",
            "and edx, 0x7ff8",
            "add rsi, [rdi + rdx]",
            "mov rdx, rcx",
            "shr rdx, 31",
            "and edx, 0x7ff8",
            "mov [rdi + rdx], rsi",
            "test cl, 7",
            "jnz 4f",
            "add r8, rsi",
            "4:",
            "call 5f",
            "dec r10",
            "jnz 3b",
            "jmp 6f",
            "5:",
            "xor r8, rsi",
            "ret",
            "6:",
            in("rdi") buffer.as_mut_ptr(),
            inout("r10") iterations => _,
            out("rax") _, out("rcx") _, out("rdx") _, out("rsi") _, out("r8") _, out("r9") _,
        );
    }
    Some(start.elapsed())
}

/// Runs the loop `iterations` times on this thread and says how long it took; `None` on processors it is not
/// written for, or for zero iterations.
#[cfg(target_arch = "aarch64")]
pub(crate) fn time_loop(iterations: u64) -> Option<Duration> {
    if iterations == 0 {
        return None;
    }
    let mut buffer = vec![0_u64; BUFFER];
    let start = Instant::now();
    // SAFETY: every access is at `x10` plus an offset masked with 0x7ff8, so inside the 32 KiB buffer, which outlives
    // the block; all registers written, the link register among them, are declared.
    unsafe {
        std::arch::asm!(
            "movz x7, #0x7c15",
            "movk x7, #0x7f4a, lsl #16",
            "movk x7, #0x79b9, lsl #32",
            "movk x7, #0x9e37, lsl #48",
            "mov x0, xzr",
            "mov x4, xzr",
            "3:",
            "add x0, x0, x7",
            "eor x8, x0, x0, lsr #29",
            "and x2, x8, #0x7ff8",
            "ldr x3, [x10, x2]",
            "lsr x2, x8, #15",
            "and x2, x2, #0x7ff8",
            "ldr x9, [x10, x2]",
            "add x3, x3, x9",
            "lsr x2, x8, #31",
            "and x2, x2, #0x7ff8",
            "str x3, [x10, x2]",
            "tst x8, #7",
            "b.ne 4f",
            "add x4, x4, x3",
            "4:",
            "bl 5f",
            "subs x1, x1, #1",
            "b.ne 3b",
            "b 6f",
            "5:",
            "eor x4, x4, x3",
            "ret",
            "6:",
            in("x10") buffer.as_mut_ptr(),
            inout("x1") iterations => _,
            out("x0") _, out("x2") _, out("x3") _, out("x4") _, out("x7") _, out("x8") _, out("x9") _,
            out("x30") _,
        );
    }
    Some(start.elapsed())
}

/// Runs the loop `iterations` times on this thread and says how long it took; `None` on processors it is not
/// written for, or for zero iterations.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) fn time_loop(_iterations: u64) -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn the_loop_takes_time_in_proportion() {
        assert_eq!(time_loop(0), None);
        let once = || time_loop(200_000).unwrap();
        let ten = || time_loop(2_000_000).unwrap();
        let (short, long) = (
            (0..5).map(|_| once()).min().unwrap(),
            (0..5).map(|_| ten()).min().unwrap(),
        );
        let ratio = long.as_secs_f64() / short.as_secs_f64();
        assert!((4.0..25.0).contains(&ratio), "{short:?} {long:?}");
    }
}
