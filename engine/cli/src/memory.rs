//! How the process takes memory from the system.

/// The largest block by whose release glibc learns, and a little for what it sets aside itself.
const LARGEST_LESSON: usize = (32 << 20) - (64 << 10);

/// Has the allocator keep freed memory for the next chunk of work.
///
/// glibc maps large blocks one by one, and gives them and the end of its heaps back at once: a run that works chunk by chunk
/// would have the system find and clear the same pages again and again, which is a twentieth of its CPU time. The limits grow with the
/// largest such block that was freed (`mallopt(3)`, `M_MMAP_THRESHOLD`), so that one that nobody writes to is taken and freed. Other
/// allocators do not care.
pub(crate) fn keep_what_is_freed() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGEST_LESSON)));
}
