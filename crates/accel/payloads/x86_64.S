# Proof payload for x86 guests, a multiboot image loaded and entered at 1 MiB in 32-bit protected mode.
#
# Enters long mode (where the processor has it), writes 64 KiB of memory and reads it back, runs the measuring loop
# `iterations` times, then writes 16 to the isa-debug-exit port 0xf4: QEMU ends with status (16 << 1) | 1 = 33.
# A wrong read-back writes 17 instead: status 35.
#
#   1 MiB + 0        this image; its last 8 bytes are `iterations`, filled in by Nestbox before each run
#   1 MiB + 64 KiB   page tables: PML4, PDPT, PD mapping the first 4 MiB to itself in 2 MiB pages
#   2 MiB            32 KiB of working memory for the loop, 64 KiB for the memory test
#
# as --32 x86_64.S -o p.o && ld -m elf_i386 -Ttext=0x100000 --oformat binary p.o -o p.bin
    .set TABLES, 0x110000
    .set BUFFER, 0x200000
    .text
    .globl _start
header:
    .long 0x1badb002                    # multiboot magic
    .long 0x00010000                    # flags: the addresses below are valid
    .long -(0x1badb002 + 0x00010000)    # checksum
    .long header                        # address of this header
    .long header                        # load from here
    .long end                           # to here
    .long 0                             # no bss
    .long _start                        # entry
    .code32
_start:
    cli
    cld
    movl $0x180000, %esp
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb memory32
    movl $0x80000001, %eax
    cpuid
    btl $29, %edx                       # long mode?
    jnc memory32
    movl $TABLES, %edi
    xorl %eax, %eax
    movl $(3 * 1024), %ecx
    rep stosl
    movl $(TABLES + 0x1003), TABLES
    movl $(TABLES + 0x2003), TABLES + 0x1000
    movl $0x00000083, TABLES + 0x2000
    movl $0x00200083, TABLES + 0x2008
    movl $TABLES, %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $0x20, %eax                     # PAE
    movl %eax, %cr4
    movl $0xc0000080, %ecx              # EFER
    rdmsr
    orl $0x100, %eax                    # LME
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax               # paging
    movl %eax, %cr0
    lgdt gdtr
    ljmp $8, $long

memory32:                               # a 32-bit processor: the memory test and a shorter loop
    movl $BUFFER, %edi
    movl $(64 * 1024 / 4), %ecx
1:  movl %edi, (%edi)
    addl $4, %edi
    loop 1b
    movl $BUFFER, %edi
    movl $(64 * 1024 / 4), %ecx
2:  cmpl %edi, (%edi)
    jne bad
    addl $4, %edi
    loop 2b
    movl iterations, %ecx
    jecxz good
    movl $BUFFER, %edi
3:  addl $0x9e3779b9, %eax
    movl %eax, %edx
    shrl $17, %edx
    andl $0x7ffc, %edx
    addl %eax, (%edi,%edx)
    call 4f
    decl %ecx
    jnz 3b
    jmp good
4:  xorl %edx, %ebx
    ret
good:
    movl $16, %eax
    jmp 3f
bad:
    movl $17, %eax
3:  movw $0xf4, %dx
    outl %eax, %dx
4:  hlt
    jmp 4b

    .code64
long:
    movl $BUFFER, %edi
    movl $(64 * 1024 / 8), %ecx
1:  movq %rdi, (%rdi)
    addq $8, %rdi
    decl %ecx
    jnz 1b
    movl $BUFFER, %edi
    movl $(64 * 1024 / 8), %ecx
2:  cmpq %rdi, (%rdi)
    jne bad64
    addq $8, %rdi
    decl %ecx
    jnz 2b
    movq iterations(%rip), %r10
    testq %r10, %r10
    jz good64
    # The measuring loop; `native.rs` has the same instructions.
    xorl %eax, %eax
    movl $BUFFER, %edi
    xorl %r8d, %r8d
    movabsq $0x9e3779b97f4a7c15, %r9
3:  addq %r9, %rax
    movq %rax, %rcx
    shrq $29, %rcx
    xorq %rax, %rcx
    movl %ecx, %edx
    andl $0x7ff8, %edx
    movq (%rdi,%rdx), %rsi
    movq %rcx, %rdx
    shrq $15, %rdx
    andl $0x7ff8, %edx
    addq (%rdi,%rdx), %rsi
    movq %rcx, %rdx
    shrq $31, %rdx
    andl $0x7ff8, %edx
    movq %rsi, (%rdi,%rdx)
    testb $7, %cl
    jnz 4f
    addq %rsi, %r8
4:  callq 5f
    decq %r10
    jnz 3b
    jmp good64
5:  xorq %rsi, %r8
    retq
good64:
    movl $16, %eax
    jmp 6f
bad64:
    movl $17, %eax
6:  movw $0xf4, %dx
    outl %eax, %dx
7:  hlt
    jmp 7b

    .balign 8
gdt:
    .quad 0
    .quad 0x00209a0000000000            # 64-bit code
    .quad 0x0000920000000000            # data
gdtr:
    .word gdtr - gdt - 1
    .long gdt
    .balign 8
iterations:
    .quad 0
end:
