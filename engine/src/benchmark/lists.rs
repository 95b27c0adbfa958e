//! The table `lists`: what is said of lists beyond relevance, as written and as it will be done.

use std::num::NonZeroUsize;

use rematch_metrics::Proportion;
use rematch_metrics::top_lists::MOST_RANKS;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::diagnostic::{Diagnostic, KeyPath};
use super::plan::ItemsPlan;
use super::resolve::Context;
use super::resolve_retrievers::corpus_plan;
use super::scorer_spec::ItemsSpec;

const DEFAULT_RANKS: usize = 10;
const DEFAULT_PAUL_FACTOR: f64 = 0.9;

/// What lists are good for beyond relevance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ListsSpec {
    /// Ranks looked at; 10 where it is not given.
    #[serde(default)]
    pub k: Option<NonZeroUsize>,
    /// The catalogue, and those of its fields whose values are an item's labels. Coverage counts its documents, diversity
    /// compares the labels.
    #[serde(default)]
    pub items: Option<ItemsSpec>,
    /// A field of the catalogue that says how many people know an item, such as what was sold; novelty comes from it.
    #[serde(default)]
    pub popularity: Option<String>,
    /// PaulScore's factor, above 0 and below 1; 0.9 where it is not given.
    #[serde(default)]
    pub paul_factor: Option<f64>,
}

/// What will be said of lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListsPlan {
    /// Ranks looked at.
    pub k: NonZeroUsize,
    /// The catalogue and the fields of labels; `None` where none is named.
    pub items: Option<ItemsPlan>,
    /// The field that says how many people know an item; `None` where none does.
    pub popularity: Option<String>,
    /// PaulScore's factor.
    #[serde(serialize_with = "as_number", deserialize_with = "from_number")]
    pub paul_factor: Proportion,
}

fn as_number<S: serde::Serializer>(factor: &Proportion, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(factor.get())
}

fn from_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Proportion, D::Error> {
    Proportion::new(f64::deserialize(deserializer)?).map_err(de::Error::custom)
}

impl ListsSpec {
    pub(super) fn resolve(&self, context: &Context<'_>) -> Result<ListsPlan, Diagnostic> {
        let keys = KeyPath::root().key("lists");
        let depth = context.spec.depth;
        let default = NonZeroUsize::new(DEFAULT_RANKS).map_or(depth, |k| k.min(depth));
        let k = self.k.unwrap_or(default);
        if k > depth {
            let mistake = context.mistake(&keys.key("k"), format!("{k} is more than the {depth} hits that are kept"));
            return Err(mistake.with_help("raise `depth` or lower `k`"));
        }
        if k.get() > MOST_RANKS {
            return Err(context.mistake(&keys.key("k"), format!("{k} is more than {MOST_RANKS} ranks")));
        }
        let resolve = |items: &ItemsSpec| {
            let corpus = corpus_plan(context, &items.corpus, &keys.key("items"))?;
            Ok(ItemsPlan { corpus, fields: items.fields.clone() })
        };
        let items = self.items.as_ref().map(resolve).transpose()?;
        if self.popularity.is_some() && items.is_none() {
            let mistake = context.mistake(&keys.key("popularity"), "`popularity` is a field of the catalogue");
            return Err(mistake.with_help("name it: `items = { corpus = \"...\", fields = [] }`"));
        }
        let factor = Proportion::new(self.paul_factor.unwrap_or(DEFAULT_PAUL_FACTOR));
        let paul_factor = factor.map_err(|error| context.mistake(&keys.key("paul-factor"), error.to_string()))?;
        Ok(ListsPlan { k, items, popularity: self.popularity.clone(), paul_factor })
    }
}
