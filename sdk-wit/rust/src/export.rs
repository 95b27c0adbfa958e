//! The macro that makes a component.

/// Exports a [`Scorer`](crate::Scorer) as the component's scoring function; with `aggregate` after the type, an
/// [`Aggregate`](crate::Aggregate) that sums up runs too.
///
/// ```ignore
/// rematch_scorer::export!(Revenue);
/// rematch_scorer::export!(RevenueShare, aggregate);
/// ```
///
/// Does nothing where the target is not WebAssembly, so that tests build natively.
#[macro_export]
macro_rules! export {
    ($scorer:ty) => {
        $crate::__export!($scorer, guest => __export_rematch_scoring_guest_0_1_0_cabi);
    };
    ($scorer:ty, aggregate) => {
        $crate::__export!(
            $scorer,
            guest => __export_rematch_scoring_guest_0_1_0_cabi,
            aggregation => __export_rematch_scoring_aggregation_0_1_0_cabi
        );
    };
}

/// Exports the functions of the interfaces that are named, and the allocator that the host calls.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($scorer:ty, $($interface:ident => $cabi:ident),+) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Component = $crate::Component<$scorer>;
            $($crate::$cabi!(Component with_types_in $crate::bindings::exports::rematch::scoring::$interface);)+
            $crate::__export_realloc!();
        };
        // Natively the type is only checked.
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn is_exportable<C: $($crate::bindings::exports::rematch::scoring::$interface::Guest +)+>() {}
            is_exportable::<$crate::Component<$scorer>>();
        };
    };
}

/// Exports the allocator that the host calls, where the target is WebAssembly.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_realloc {
    () => {
        #[cfg(target_arch = "wasm32")]
        #[unsafe(export_name = "cabi_realloc")]
        unsafe extern "C" fn realloc(old: *mut u8, old_len: usize, align: usize, new_len: usize) -> *mut u8 {
            unsafe { $crate::cabi_realloc(old, old_len, align, new_len) }
        }
    };
}
