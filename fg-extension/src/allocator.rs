//! The global allocator on musl targets: dlmalloc.
//!
//! musl's own allocator returns memory to the kernel eagerly and is slow. A program may have only one global allocator,
//! so this module exists only with the feature `dlmalloc`.

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;
