// Proof payload for 64-bit ARM guests, a flat image for `-M virt -kernel`, position-independent.
//
// Writes 64 KiB of memory and reads it back, turns the MMU and the caches on (without them memory is uncached under an
// accelerator), runs the measuring loop `iterations` times, says "OK" on the first serial port (PL011 at 0x09000000), then turns the machine off by PSCI SYSTEM_OFF over HVC: QEMU ends with status 0.
// A wrong read-back turns it off without the "OK".
//
//   0x40080000 or so  this image; its last 8 bytes are `iterations`, filled in by Nestbox before each run
//   0x40400000        32 KiB of working memory for the loop, 64 KiB for the memory test
//   0x40410000        page table of level 1: 0–1 GiB devices, 1–2 GiB memory, both to themselves
//
// aarch64-linux-gnu-as aarch64.S -o p.o && aarch64-linux-gnu-objcopy -O binary -j .text p.o p.bin
    .text
    .globl _start
_start:
    movz x10, #0x4040, lsl #16
    movz x11, #0x2000                   // 64 KiB / 8
    mov x12, x10
1:  str x12, [x12]
    add x12, x12, #8
    subs x11, x11, #1
    b.ne 1b
    movz x11, #0x2000
    mov x12, x10
2:  ldr x13, [x12]
    cmp x13, x12
    b.ne off
    add x12, x12, #8
    subs x11, x11, #1
    b.ne 2b
    movz x11, #0x4041, lsl #16          // the page table: clear it, two entries
    movz x12, #0x1000
3:  subs x12, x12, #8
    str xzr, [x11, x12]
    b.ne 3b
    movz x12, #0x0405                   // 0: block, device memory, accessed
    movk x12, #0x0060, lsl #48          // never executed
    str x12, [x11]
    movz x12, #0x0701                   // 1 GiB: block, normal memory, shareable, accessed
    movk x12, #0x4000, lsl #16
    str x12, [x11, #8]
    dsb sy
    movz x12, #0x04ff                   // attribute 0: write-back, 1: device
    msr mair_el1, x12
    movz x12, #0x0019                   // 39-bit addresses, 4 KiB pages, no upper half
    movk x12, #0x0080, lsl #16
    msr tcr_el1, x12
    msr ttbr0_el1, x11
    isb
    tlbi vmalle1
    ic iallu
    dsb sy
    isb
    mrs x12, sctlr_el1
    movz x13, #0x1005                   // MMU, data cache, instruction cache
    orr x12, x12, x13
    msr sctlr_el1, x12
    isb
    ldr x1, iterations
    cbz x1, good
    // The measuring loop; `native.rs` has the same instructions.
    movz x7, #0x7c15
    movk x7, #0x7f4a, lsl #16
    movk x7, #0x79b9, lsl #32
    movk x7, #0x9e37, lsl #48
    mov x0, xzr
    mov x4, xzr
3:  add x0, x0, x7
    eor x8, x0, x0, lsr #29
    and x2, x8, #0x7ff8
    ldr x3, [x10, x2]
    lsr x2, x8, #15
    and x2, x2, #0x7ff8
    ldr x9, [x10, x2]
    add x3, x3, x9
    lsr x2, x8, #31
    and x2, x2, #0x7ff8
    str x3, [x10, x2]
    tst x8, #7
    b.ne 4f
    add x4, x4, x3
4:  bl 5f
    subs x1, x1, #1
    b.ne 3b
    b good
5:  eor x4, x4, x3
    ret
good:
    movz x5, #0x0900, lsl #16
    movz w6, #0x0301                    // UARTCR: enable, transmit, receive
    str w6, [x5, #0x30]
    movz w6, #0x4f                      // O
    str w6, [x5]
    movz w6, #0x4b                      // K
    str w6, [x5]
off:
    movz x0, #0x8400, lsl #16
    movk x0, #0x0008                    // PSCI SYSTEM_OFF
    hvc #0
6:  wfi
    b 6b
    .balign 8
iterations:
    .quad 0
