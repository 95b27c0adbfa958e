//! The generator of the shop: one invented web shop, its products, and a month of searches in it.
//!
//! A shopper has an intent (a type of product, and some of colour, brand and attribute) and words it as a query. The
//! production retriever answers with a noisy BM25 ranking, the shopper clicks on what stands high and fits the intent,
//! and a judge, who knows the intent and sees no ranks, grades the items.
//!
//! Nothing here depends on time, machine or hash order: every call writes the same bytes.

mod assortment;
mod draws;
mod intent;
mod products;
mod retriever;
mod searches;
mod shopper;
mod write;

pub use write::generate;
