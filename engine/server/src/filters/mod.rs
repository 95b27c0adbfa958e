//! Filters as clients write them, `{"AND": [{"field": "price", "operator": "lt", "value": 100}]}`: `condition` reads them,
//! `documents` says whether one holds of a document, `geo` whether a point lies in a place. As SQL over tables of the
//! metadata, an API family writes them itself.

mod condition;
mod documents;
mod geo;

pub use condition::{Condition, Does, Operator, Test, wrong};
pub use documents::{Predicate, column_of, truth};
