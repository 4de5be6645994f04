# A boot sector that counts once a tick, in memory and in sector 1 of its disk at the same time, and says so on the
# first serial port: "boot", then one hexadecimal number a line, with a "!" before it when memory and disk disagree.
# Made with: gcc -m32 -c counter.S && ld -m elf_i386 -Ttext 0x7c00 --oformat binary -e start -o counter.bin counter.o
.code16
.global start
start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp
    sti
    mov %dl, drive
    mov $0x83, %al          # 115200 baud, 8 bits
    mov $0x3fb, %dx
    out %al, %dx
    mov $0x3f8, %dx
    mov $1, %al
    out %al, %dx
    inc %dx
    xor %al, %al
    out %al, %dx
    mov $0x3fb, %dx
    mov $3, %al
    out %al, %dx
    mov $banner, %si
1:  lodsb
    test %al, %al
    jz 2f
    call putc
    jmp 1b
2:  mov $0x42, %ah
    call disk
    mov 0x8000, %eax
    mov %eax, 0x9000
tick:
    mov $0x42, %ah
    call disk
    mov 0x8000, %eax
    cmp %eax, 0x9000
    je 3f
    mov $'!', %al
    call putc
3:  incl 0x9000
    mov 0x9000, %eax
    mov %eax, 0x8000
    mov $0x4300, %ax
    call disk
    mov $8, %cx
4:
    mov 0x9000, %eax
    push %cx
    dec %cl
    shl $2, %cl
    shr %cl, %eax
    pop %cx
    and $15, %al
    cmp $10, %al
    jb 5f
    add $('a' - '0' - 10), %al
5:  add $'0', %al
    call putc
    loop 4b
    mov $10, %al
    call putc
    mov $300000, %ecx
6:  dec %ecx
    jnz 6b
    jmp tick

disk:
    mov drive, %dl
    mov $packet, %si
    int $0x13
    ret

putc:
    push %ax
    mov $0x3fd, %dx
7:  in %dx, %al
    test $0x20, %al
    jz 7b
    pop %ax
    mov $0x3f8, %dx
    out %al, %dx
    ret

banner: .asciz "boot\n"
drive: .byte 0
    .balign 4
packet:
    .byte 16, 0, 1, 0
    .word 0x8000, 0
    .long 1, 0
    .org start + 510
    .byte 0x55, 0xaa
