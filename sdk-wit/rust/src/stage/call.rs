//! The calls of the host, in Rust's types: the code between the generated bindings and a stage.

use std::cell::RefCell;

use super::ranking::columns;
use super::{Items, Ranking, Reranker, Retriever, Search};
use crate::Params;
use crate::bindings::rematch::scoring::stage_types::{self, Answers, Failure, HitRows, Sessions};

/// Orders the hits of a batch anew.
///
/// # Errors
///
/// Returns the failure of the whole batch: parameters that are refused.
pub fn rerank<R: Reranker>(
    sessions: &Sessions,
    hits: &HitRows,
    items: &stage_types::Items,
    params: &str,
) -> Result<Answers, Failure> {
    crate::log::report_panics();
    let reranker: R = configured(params, R::new)?;
    let items = Items::new(items);
    let rankings: Vec<Result<Ranking, String>> =
        Search::all(sessions).map(|search| reranker.rerank(&search, &search.hits(hits), &items)).collect();
    Ok(columns(rankings))
}

/// Makes a retriever of the items and leaves it in `opened`.
///
/// # Errors
///
/// Returns the failure: parameters or items that are refused.
pub fn open<R: Retriever>(
    opened: &RefCell<Option<R>>,
    items: &stage_types::Items,
    params: &str,
) -> Result<(), Failure> {
    crate::log::report_panics();
    *opened.borrow_mut() = Some(configured(params, |params| R::open(params, &Items::new(items)))?);
    Ok(())
}

/// Answers a batch.
///
/// # Errors
///
/// Returns a failure where nothing was opened.
pub fn retrieve<R: Retriever>(
    opened: &RefCell<Option<R>>,
    sessions: &Sessions,
    depth: u32,
) -> Result<Answers, Failure> {
    let opened = opened.borrow();
    let Some(retriever) = opened.as_ref() else {
        return Err(Failure::Internal("`retrieve` was called before `open`".to_owned()));
    };
    Ok(columns(Search::all(sessions).map(|search| retriever.retrieve(&search, depth as usize)).collect()))
}

fn configured<T>(params: &str, make: impl FnOnce(&Params) -> Result<T, String>) -> Result<T, Failure> {
    let made = Params::parse(params).and_then(|params| {
        let made = make(&params)?;
        params.refuse_unknown()?;
        Ok(made)
    });
    made.map_err(Failure::InvalidParams)
}

/// Exports a [`Reranker`](crate::stage::Reranker) as the component's stage.
///
/// ```ignore
/// rematch_scorer::export_reranker!(Popularity);
/// ```
///
/// Does nothing where the target is not WebAssembly, so that tests build natively.
#[macro_export]
macro_rules! export_reranker {
    ($reranker:ty) => {
        const _: () = {
            use $crate::bindings::exports::rematch::scoring::reranking;

            struct Component;

            impl reranking::Guest for Component {
                fn describe() -> reranking::Description {
                    <$reranker as $crate::stage::Reranker>::describe()
                }

                fn rerank(
                    sessions: reranking::Sessions,
                    hits: reranking::HitRows,
                    items: reranking::Items,
                    params: String,
                ) -> Result<reranking::Answers, reranking::Failure> {
                    $crate::stage::call::rerank::<$reranker>(&sessions, &hits, &items, &params)
                }
            }

            #[cfg(target_arch = "wasm32")]
            $crate::__export_rematch_scoring_reranking_0_1_0_cabi!(
                Component with_types_in $crate::bindings::exports::rematch::scoring::reranking
            );
            // Natively the type is only checked.
            #[cfg(not(target_arch = "wasm32"))]
            const _: () = {
                const fn is_exportable<C: reranking::Guest>() {}
                is_exportable::<Component>();
            };
            $crate::__export_realloc!();
        };
    };
}

/// Exports a [`Retriever`](crate::stage::Retriever) as the component's stage.
///
/// ```ignore
/// rematch_scorer::export_retriever!(Prefixes);
/// ```
///
/// Does nothing where the target is not WebAssembly, so that tests build natively.
#[macro_export]
macro_rules! export_retriever {
    ($retriever:ty) => {
        const _: () = {
            use $crate::bindings::exports::rematch::scoring::retrieving;

            struct Component;

            thread_local! {
                static OPENED: ::std::cell::RefCell<Option<$retriever>> = const { ::std::cell::RefCell::new(None) };
            }

            impl retrieving::Guest for Component {
                fn describe() -> retrieving::Description {
                    <$retriever as $crate::stage::Retriever>::describe()
                }

                fn open(items: retrieving::Items, params: String) -> Result<(), retrieving::Failure> {
                    OPENED.with(|opened| $crate::stage::call::open(opened, &items, &params))
                }

                fn retrieve(
                    sessions: retrieving::Sessions,
                    depth: u32,
                ) -> Result<retrieving::Answers, retrieving::Failure> {
                    OPENED.with(|opened| $crate::stage::call::retrieve(opened, &sessions, depth))
                }
            }

            #[cfg(target_arch = "wasm32")]
            $crate::__export_rematch_scoring_retrieving_0_1_0_cabi!(
                Component with_types_in $crate::bindings::exports::rematch::scoring::retrieving
            );
            // Natively the type is only checked.
            #[cfg(not(target_arch = "wasm32"))]
            const _: () = {
                const fn is_exportable<C: retrieving::Guest>() {}
                is_exportable::<Component>();
            };
            $crate::__export_realloc!();
        };
    };
}
