# Proof payload for 64-bit RISC-V guests, a flat image for `-M virt`, position-independent, machine or supervisor mode.
#
# Writes 64 KiB of memory and reads it back, runs the measuring loop `iterations` times, then writes
# (33 << 16) | 0x3333 to the test finisher at 0x100000: QEMU ends with status 33. A wrong read-back ends with 35.
#
#   0x80000000 or so  this image; its last 8 bytes are `iterations`, filled in by Nestbox before each run
#   0x80400000        32 KiB of working memory for the loop, 64 KiB for the memory test
#
# riscv64-linux-gnu-as -march=rv64g -mno-arch-attr riscv64.S -o p.o && riscv64-linux-gnu-ld --no-relax -Ttext=0x80000000 p.o -o p.elf &&
# riscv64-linux-gnu-objcopy -O binary -j .text p.elf p.bin
    .option norelax
    .option norvc
    .text
    .globl _start
_start:
    li s0, 0x80400000
    li t0, 0x2000                       # 64 KiB / 8
    mv t1, s0
1:  sd t1, 0(t1)
    addi t1, t1, 8
    addi t0, t0, -1
    bnez t0, 1b
    li t0, 0x2000
    mv t1, s0
2:  ld t2, 0(t1)
    bne t2, t1, bad
    addi t1, t1, 8
    addi t0, t0, -1
    bnez t0, 2b
    lla t0, iterations
    ld a1, 0(t0)
    beqz a1, good
    # The measuring loop; `native.rs` has the same algorithm.
    li s2, 0x9e3779b97f4a7c15
    li s1, 0x7ff8
    li a0, 0
    li a4, 0
3:  add a0, a0, s2
    srli a6, a0, 29
    xor a6, a6, a0
    and a2, a6, s1
    add a2, a2, s0
    ld a3, 0(a2)
    srli a2, a6, 15
    and a2, a2, s1
    add a2, a2, s0
    ld a7, 0(a2)
    add a3, a3, a7
    srli a2, a6, 31
    and a2, a2, s1
    add a2, a2, s0
    sd a3, 0(a2)
    andi a5, a6, 7
    bnez a5, 4f
    add a4, a4, a3
4:  jal ra, 5f
    addi a1, a1, -1
    bnez a1, 3b
    j good
5:  xor a4, a4, a3
    ret
good:
    li t1, 0x213333
    j end
bad:
    li t1, 0x233333
end:
    li t0, 0x100000
    sw t1, 0(t0)
6:  wfi
    j 6b
    .balign 8
iterations:
    .quad 0
