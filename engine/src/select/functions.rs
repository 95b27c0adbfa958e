//! SQL functions of our own: over taxonomy paths and interactions, whether a session was drawn, and to which batch it was dealt.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::rows::list_range;
use crate::schema::column;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

type Body = Arc<dyn Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync>;

/// A function of columns with parameters that are part of its name.
struct Function {
    name: String,
    returns: DataType,
    signature: Signature,
    body: Body,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Function {
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
        Ok(ColumnarValue::Array((self.body)(&arrays)?))
    }
}

fn predicate(name: String, columns: usize, body: Body) -> ScalarUDF {
    function(name, DataType::Boolean, columns, body)
}

fn function(name: String, returns: DataType, columns: usize, body: Body) -> ScalarUDF {
    let signature = Signature::any(columns, Volatility::Immutable);
    ScalarUDF::new_from_impl(Function { name, returns, signature, body })
}

fn of_one_column(name: String, body: impl Fn(&ArrayRef) -> Result<ArrayRef> + Send + Sync + 'static) -> ScalarUDF {
    let called = name.clone();
    let body = move |arrays: &[ArrayRef]| match arrays {
        [array] => body(array),
        _ => exec_err!("`{called}` takes one column"),
    };
    predicate(name, 1, Arc::new(body))
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
    of_one_column(name, move |array| any_element(array, strings, &matches))
}

/// Returns a function that is true for interactions with one of `kinds`.
pub(super) fn any_kind(kinds: &[String]) -> ScalarUDF {
    let kinds: Vec<String> = kinds.to_vec();
    let name = format!("any_kind[{}]", kinds.join(","));
    let matches = move |kind: &str| kinds.iter().any(|wanted| wanted == kind);
    let kind_of =
        |values: &ArrayRef| values.as_struct_opt().and_then(|structs| strings(structs.column_by_name(column::KIND)?));
    of_one_column(name, move |array| any_element(array, kind_of, &matches))
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
    let row = |row: usize| list_range(list, row).any(|index| values.is_valid(index) && matches(values.value(index)));
    Ok(Arc::new((0..list.len()).map(|index| Some(row(index))).collect::<BooleanArray>()))
}

/// Returns a function of `columns` columns that says for each row whether it was drawn.
pub(super) fn drawn(
    columns: usize,
    body: impl Fn(&[ArrayRef]) -> Result<BooleanArray> + Send + Sync + 'static,
) -> ScalarUDF {
    predicate("drawn".to_owned(), columns, Arc::new(move |arrays| Ok(Arc::new(body(arrays)?) as ArrayRef)))
}

/// Returns a function of `columns` columns that says for each row to which batch it was dealt.
pub(super) fn dealt(
    columns: usize,
    body: impl Fn(&[ArrayRef]) -> Result<Int64Array> + Send + Sync + 'static,
) -> ScalarUDF {
    let body = move |arrays: &[ArrayRef]| Ok(Arc::new(body(arrays)?) as ArrayRef);
    function("dealt".to_owned(), DataType::Int64, columns, Arc::new(body))
}
