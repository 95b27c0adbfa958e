//! What the generated bindings need at run time: memory for the host, and a set of flags.

#![expect(unsafe_code, reason = "the canonical ABI passes addresses")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;

/// Memory that is given back when it is dropped.
pub(crate) struct Cleanup {
    memory: NonNull<u8>,
    layout: Layout,
}

impl Cleanup {
    /// Returns memory of this layout, and its owner where there is anything to own.
    pub(crate) fn new(layout: Layout) -> (*mut u8, Option<Self>) {
        if layout.size() == 0 {
            return (std::ptr::without_provenance_mut(layout.align()), None);
        }
        // SAFETY: the layout has a size above 0.
        let memory = unsafe { alloc(layout) };
        let Some(owned) = NonNull::new(memory) else { handle_alloc_error(layout) };
        (memory, Some(Self { memory: owned, layout }))
    }

    /// Leaves the memory to whoever has its address.
    pub(crate) fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        // SAFETY: the memory was allocated in `new` with this layout.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) }
    }
}

/// Gives the host memory to write arguments to, as the canonical ABI says.
///
/// # Safety
///
/// `old` is null with `old_len` 0, or memory that this function returned for `old_len` bytes of this alignment.
#[must_use]
pub unsafe fn cabi_realloc(old: *mut u8, old_len: usize, align: usize, new_len: usize) -> *mut u8 {
    // SAFETY: the canonical ABI passes powers of two, and lengths within the address space.
    let layout = |len| unsafe { Layout::from_size_align_unchecked(len, align) };
    // SAFETY: as the caller promises.
    let memory = unsafe {
        match (old_len, new_len) {
            (0, 0) => return std::ptr::without_provenance_mut(align),
            (0, _) => alloc(layout(new_len)),
            _ => realloc(old, layout(old_len), new_len),
        }
    };
    if memory.is_null() {
        handle_alloc_error(layout(new_len));
    }
    memory
}

/// Stands for the crate `bitflags`, of which the generated code needs little.
pub(crate) mod bitflags {
    macro_rules! bitflags {
        (
            $(#[$about:meta])*
            pub struct $name:ident: $bits:ty {
                $($(#[$about_flag:meta])* const $flag:ident = $value:expr;)*
            }
        ) => {
            $(#[$about])*
            pub struct $name($bits);

            impl $name {
                $($(#[$about_flag])* pub const $flag: Self = Self($value);)*

                /// Returns the set without a flag.
                #[must_use]
                pub const fn empty() -> Self {
                    Self(0)
                }

                /// Returns the flags as bits.
                #[must_use]
                pub const fn bits(self) -> $bits {
                    self.0
                }

                /// Returns whether every flag of `other` is in this set.
                #[must_use]
                pub const fn contains(self, other: Self) -> bool {
                    self.0 & other.0 == other.0
                }

                /// Returns the flags of both sets.
                #[must_use]
                pub const fn union(self, other: Self) -> Self {
                    Self(self.0 | other.0)
                }
            }

            impl ::core::ops::BitOr for $name {
                type Output = Self;

                fn bitor(self, other: Self) -> Self {
                    self.union(other)
                }
            }
        };
    }
    pub(crate) use bitflags;
}
