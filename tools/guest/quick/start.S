/* Entered as the 32-bit boot protocol says (Documentation/arch/x86/boot.rst of the kernel): flat segments, interrupts
 * off, %esi at the boot parameters. Leaves as its 64-bit protocol says: long mode, memory mapped to itself, %rsi at
 * the boot parameters.
 */
        .section .start, "ax"
        .code32
        .globl start
start:
        cli
        cld
        /* The first 4 GiB, mapped to themselves: one table of four, four of 512 pages of 2 MiB. */
        movl    $(pages + 3), %eax
        movl    $directories, %edi
        movl    $4, %ecx
1:      movl    %eax, (%edi)
        addl    $4096, %eax
        addl    $8, %edi
        loop    1b
        movl    $0x83, %eax
        movl    $pages, %edi
        movl    $2048, %ecx
2:      movl    %eax, (%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        loop    2b
        movl    $(directories + 3), root

        lgdt    descriptors_place
        movl    $root, %eax
        movl    %eax, %cr3
        movl    %cr4, %eax
        orl     $0x20, %eax             /* PAE */
        movl    %eax, %cr4
        movl    $0xc0000080, %ecx       /* EFER */
        rdmsr
        orl     $0x100, %eax            /* LME */
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000001, %eax       /* paging, protection */
        movl    %eax, %cr0
        ljmp    $0x10, $long_mode

        .code64
long_mode:
        movl    $0x18, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $stack_end, %esp
        movl    %esi, %ebx              /* kept by the call; above 4 GiB there is nothing */
        call    unpack
        movl    %ebx, %esi
        movl    $KERNEL_ENTRY, %eax
        jmp     *%rax

        .data
        .balign 16
descriptors:
        .quad   0, 0
        .quad   0x00af9a000000ffff      /* 0x10: 64-bit code, as the boot protocol wants it */
        .quad   0x00cf92000000ffff      /* 0x18: data */
descriptors_place:
        .word   . - descriptors - 1
        .long   descriptors

        .balign 4096
root:   .fill   512, 8, 0
directories:
        .fill   512, 8, 0
pages:  .fill   2048, 8, 0
        .fill   8192, 1, 0
stack_end:
