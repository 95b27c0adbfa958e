//! SQL functions of our own: over taxonomy paths, over interactions, and the keyed hash that orders a draw.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, StringArray, UInt64Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use sha2::{Digest, Sha256};

use crate::schema::column;

type Body = Arc<dyn Fn(&ArrayRef) -> Result<ArrayRef> + Send + Sync>;

/// A function of one column with parameters that are part of its name.
struct OneColumn {
    name: String,
    returns: DataType,
    signature: Signature,
    body: Body,
}

impl std::fmt::Debug for OneColumn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl PartialEq for OneColumn {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for OneColumn {}

impl Hash for OneColumn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for OneColumn {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [array] = arrays.as_slice() else { return exec_err!("`{}` takes one column", self.name) };
        Ok(ColumnarValue::Array((self.body)(array)?))
    }
}

fn one_column(name: String, returns: DataType, body: Body) -> ScalarUDF {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::new_from_impl(OneColumn { name, returns, signature, body })
}

/// Returns a function that is true for a taxonomy with one of `nodes`, or with a node below one of them.
pub(super) fn under_node(nodes: &[String]) -> ScalarUDF {
    let nodes: Vec<String> = nodes.iter().map(|node| node.trim_matches('/').to_owned()).collect();
    let name = format!("under_node[{}]", nodes.join(","));
    let matches = move |path: &str| {
        nodes.iter().any(|node| {
            path.trim_matches('/')
                .strip_prefix(node.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    one_column(name, DataType::Boolean, Arc::new(move |array| any_element(array, strings, &matches)))
}

/// Returns a function that is true for interactions with one of `kinds`.
pub(super) fn any_kind(kinds: &[String]) -> ScalarUDF {
    let kinds: Vec<String> = kinds.to_vec();
    let name = format!("any_kind[{}]", kinds.join(","));
    let matches = move |kind: &str| kinds.iter().any(|wanted| wanted == kind);
    let kind_of =
        |values: &ArrayRef| values.as_struct_opt().and_then(|structs| strings(structs.column_by_name(column::KIND)?));
    one_column(name, DataType::Boolean, Arc::new(move |array| any_element(array, kind_of, &matches)))
}

fn strings(values: &ArrayRef) -> Option<StringArray> {
    values.as_string_opt::<i32>().cloned()
}

fn any_element(
    array: &ArrayRef,
    texts: impl Fn(&ArrayRef) -> Option<StringArray>,
    matches: &dyn Fn(&str) -> bool,
) -> Result<ArrayRef> {
    let Some(list) = array.as_list_opt::<i32>() else {
        return exec_err!("expected a list, found {}", array.data_type());
    };
    let Some(values) = texts(list.values()) else {
        return exec_err!("expected a list of text, found {}", array.data_type());
    };
    let row = |row: usize| range(list, row).any(|index| values.is_valid(index) && matches(values.value(index)));
    Ok(Arc::new((0..list.len()).map(|index| Some(row(index))).collect::<BooleanArray>()))
}

fn range(list: &ListArray, row: usize) -> std::ops::Range<usize> {
    let offset = |index: usize| usize::try_from(list.value_offsets()[index]).unwrap_or(0);
    if list.is_null(row) { 0..0 } else { offset(row)..offset(row + 1) }
}

/// Returns a function that gives a session id's place in the draw of `seed`: 64 bits of SHA-256(seed, id). Its order is a
/// uniform random permutation that depends on nothing but the ids.
pub(super) fn draw_key(seed: u64) -> ScalarUDF {
    let body = move |array: &ArrayRef| {
        let Some(ids) = array.as_string_opt::<i32>() else {
            return exec_err!("expected text, found {}", array.data_type());
        };
        let keys = ids.iter().map(|id| id.map(|id| hash(seed, id)));
        Ok(Arc::new(keys.collect::<UInt64Array>()) as ArrayRef)
    };
    one_column(format!("draw_key[{seed}]"), DataType::UInt64, Arc::new(body))
}

pub(super) fn hash(seed: u64, id: &str) -> u64 {
    let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(id.as_bytes()).finalize();
    let head: [u8; 8] = std::array::from_fn(|index| digest[index]);
    u64::from_be_bytes(head)
}

/// Returns a function that gives each stratum's number of sessions to draw.
pub(super) fn quota(quotas: BTreeMap<String, u64>) -> ScalarUDF {
    let body = move |array: &ArrayRef| {
        let Some(names) = array.as_string_opt::<i32>() else {
            return exec_err!("expected text, found {}", array.data_type());
        };
        let counts = names.iter().map(|name| name.and_then(|name| quotas.get(name).copied()).or(Some(0)));
        Ok(Arc::new(counts.collect::<UInt64Array>()) as ArrayRef)
    };
    one_column("quota".to_owned(), DataType::UInt64, Arc::new(body))
}
