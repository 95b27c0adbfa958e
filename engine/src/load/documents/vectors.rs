//! The vectors of a corpus, from a list column of Parquet.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use datafusion::arrow::array::{Array, AsArray, Float32Array, ListArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float32Type};

use super::super::LoadError;
use super::super::columnar;
use super::super::files::starts_with;
use super::super::native::{TableFormat, TableReader};
use super::{Document, Row, check_id, corpus_files};
use crate::benchmark::CorpusPlan;
use crate::rows::list_range;

/// The vectors of a corpus as one matrix, in the order of the files and their rows.
#[derive(Debug, Default)]
pub struct Vectors {
    /// Item ids, unique.
    pub ids: Vec<String>,
    /// Elements of each vector, at least 1.
    pub dimension: usize,
    /// The vectors, one after the other; every element is finite.
    pub values: Vec<f32>,
    /// The files, each with the place of its first vector.
    files: Vec<(PathBuf, usize)>,
}

impl Vectors {
    /// Returns vectors that come from no file; `values` holds `dimension` finite elements for each of the unique ids.
    #[must_use]
    pub fn new(ids: Vec<String>, dimension: usize, values: Vec<f32>) -> Self {
        Self { ids, dimension, values, files: Vec::new() }
    }

    /// Reads `column` of every row of a corpus.
    ///
    /// The column is a list, or a list of a fixed size, of floats of 16, 32 or 64 bits, or of whole numbers of 8 or 16
    /// bits; 64-bit floats are rounded to 32 bits. Besides what is returned, only a batch of rows is in memory.
    ///
    /// # Errors
    ///
    /// Returns an error that names file and row for a null, an element that is no finite 32-bit number, a vector of another
    /// length than the first, an id that is null, empty or repeated; and an error for a corpus that is not Parquet, has no
    /// such column or no rows.
    pub fn read(corpus: &CorpusPlan, column: &str) -> Result<Self, LoadError> {
        Self::read_batches(corpus, column, usize::MAX)
    }

    /// Looks at the columns of a corpus and at the first rows of each of its files.
    ///
    /// # Errors
    ///
    /// Returns an error that [`Vectors::read`] returns too.
    pub fn look(corpus: &CorpusPlan, column: &str) -> Result<(), LoadError> {
        Self::read_batches(corpus, column, 1).map(drop)
    }

    /// Reads so many batches of each file.
    fn read_batches(corpus: &CorpusPlan, column: &str, batches: usize) -> Result<Self, LoadError> {
        let mut reader =
            Reader { id: &corpus.id, column, seen: HashMap::new(), read: Vec::new(), found: Self::default() };
        for path in corpus_files(corpus)? {
            reader.read_file(&path, batches)?;
        }
        if reader.found.ids.is_empty() {
            return Err(LoadError::Empty { path: reader.read.pop().unwrap_or_default(), what: "vectors" });
        }
        Ok(reader.found)
    }

    /// Returns the vector at a place, or an empty slice beyond the last.
    #[must_use]
    pub fn vector(&self, place: usize) -> &[f32] {
        let start = place.saturating_mul(self.dimension);
        self.values.get(start..start.saturating_add(self.dimension)).unwrap_or_default()
    }

    /// Returns the error that the vector at a place is not what is needed, with its file and row.
    #[must_use]
    pub fn refuse(&self, place: usize, reason: String) -> LoadError {
        let holds = |(_, first): &&(PathBuf, usize)| *first <= place;
        let (path, first) = self.files.iter().rev().find(holds).cloned().unwrap_or_default();
        LoadError::Row { path, row: (place.saturating_sub(first) + 1) as u64, reason }
    }
}

struct Reader<'a> {
    id: &'a str,
    column: &'a str,
    seen: HashMap<String, (usize, u64)>,
    read: Vec<PathBuf>,
    found: Vectors,
}

impl Reader<'_> {
    fn read_file(&mut self, path: &Path, most: usize) -> Result<(), LoadError> {
        if !starts_with(path, b"PAR1")? {
            let reason = "vectors are read from Parquet, and this is not a Parquet file".to_owned();
            return Err(LoadError::Format { path: path.to_owned(), reason });
        }
        self.read.push(path.to_owned());
        self.found.files.push((path.to_owned(), self.found.ids.len()));
        let (id, column) = (self.id, self.column);
        let mut batches = TableReader::open_columns(path, TableFormat::Parquet, Some(&[id, column]))?;
        for name in [id, column] {
            columnar::index_of(path, batches.schema(), name)?;
        }
        let mut row = 0;
        for _ in 0..most {
            let Some(batch) = batches.next_batch()? else { break };
            self.add(path, &batch, row)?;
            row += batch.num_rows() as u64;
        }
        Ok(())
    }

    /// Adds the rows of a batch that begins after row number `before`.
    fn add(&mut self, path: &Path, batch: &RecordBatch, before: u64) -> Result<(), LoadError> {
        let ids = self.ids(path, batch)?;
        let (lists, elements) = self.lists(path, batch)?;
        let at = |number: u64| move |reason: String| LoadError::Row { path: path.to_owned(), row: number, reason };
        for (number, index) in (before + 1..).zip(0..batch.num_rows()) {
            if ids.is_null(index) {
                return Err(at(number)("the item id is null".to_owned()));
            }
            let row = Row { number, document: Document { id: ids.value(index).to_owned(), fields: Vec::new() } };
            check_id(&row, path, &self.read, &mut self.seen)?;
            self.add_vector(&lists, &elements, index).map_err(at(number))?;
            self.found.ids.push(row.document.id);
        }
        Ok(())
    }

    fn ids(&self, path: &Path, batch: &RecordBatch) -> Result<StringArray, LoadError> {
        let array = columnar::column(path, batch, self.id)?;
        if !columnar::is_text(array.data_type()) && !array.data_type().is_integer() {
            return Err(columnar::type_error(path, self.id, array.data_type(), "text or whole numbers"));
        }
        columnar::as_text(path, array)
    }

    fn lists(&self, path: &Path, batch: &RecordBatch) -> Result<(ListArray, Float32Array), LoadError> {
        let array = columnar::column(path, batch, self.column)?;
        let expected = || {
            let expected = "a list of floats of 16, 32 or 64 bits, or of whole numbers of 8 or 16 bits";
            columnar::type_error(path, self.column, array.data_type(), expected)
        };
        let element = columnar::element_type(array.data_type()).ok_or_else(expected)?;
        if !element.is_floating() && !is_small_integer(element) {
            return Err(expected());
        }
        let lists = columnar::as_list(path, array)?;
        let elements = cast(lists.values(), &DataType::Float32).map_err(|error| columnar::damaged(path, error))?;
        let elements = elements.as_primitive_opt::<Float32Type>().cloned().ok_or_else(expected)?;
        Ok((lists, elements))
    }

    fn add_vector(&mut self, lists: &ListArray, elements: &Float32Array, row: usize) -> Result<(), String> {
        let column = self.column;
        if lists.is_null(row) {
            return Err(format!("vector `{column}` is null"));
        }
        let range = list_range(lists, row);
        if let Some(place) = range.clone().position(|element| elements.is_null(element)) {
            return Err(format!("element {} of vector `{column}` is null", place + 1));
        }
        let vector = elements.values().get(range).unwrap_or_default();
        if let Some(place) = vector.iter().position(|element| !element.is_finite()) {
            return Err(format!("element {} of vector `{column}` is not a finite 32-bit number", place + 1));
        }
        let found = &mut self.found;
        if found.ids.is_empty() {
            found.dimension = vector.len();
        }
        if vector.is_empty() || vector.len() != found.dimension {
            let (given, expected) = (vector.len(), found.dimension);
            return Err(match given {
                0 => format!("vector `{column}` is empty"),
                _ => format!("vector `{column}` has {given} dimensions, expected {expected} as in the first row"),
            });
        }
        if found.values.try_reserve(vector.len()).is_err() {
            let bytes = found.values.len().saturating_mul(size_of::<f32>());
            return Err(format!("the vectors before it take {bytes} bytes, and there is no memory for more"));
        }
        found.values.extend_from_slice(vector);
        Ok(())
    }
}

/// Returns whether every value of the type is a 32-bit float.
fn is_small_integer(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int8 | DataType::UInt8 | DataType::Int16 | DataType::UInt16)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, FixedSizeListArray, Int64Array};
    use datafusion::arrow::datatypes::{Field, Float64Type};
    use datafusion::parquet::arrow::ArrowWriter;
    use tempfile::TempDir;

    use super::*;

    fn write(path: &Path, ids: ArrayRef, vectors: ArrayRef) {
        let batch = RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("vector", vectors, true)]).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    fn texts(ids: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(ids.to_vec()))
    }

    fn lists(rows: &[Option<&[Option<f64>]>]) -> ArrayRef {
        let rows = rows.iter().map(|row| row.map(<[Option<f64>]>::to_vec));
        Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(rows))
    }

    fn read(ids: ArrayRef, vectors: ArrayRef) -> Result<Vectors, LoadError> {
        let folder = TempDir::new().unwrap();
        write(&folder.path().join("v.parquet"), ids, vectors);
        Vectors::read(&corpus(&folder, "v.parquet"), "vector")
    }

    fn corpus(folder: &TempDir, name: &str) -> CorpusPlan {
        CorpusPlan { name: "docs".into(), path: folder.path().join(name), id: "id".into() }
    }

    #[test]
    fn lists_of_any_float_and_small_numbers_are_read() {
        let wide = lists(&[Some(&[Some(1.0), Some(-2.5)]), Some(&[Some(0.0), Some(3.0)])]);
        let item = |data_type| Arc::new(Field::new("item", data_type, true));
        let types = [
            DataType::List(item(DataType::Float64)),
            DataType::List(item(DataType::Float32)),
            DataType::LargeList(item(DataType::Float32)),
            DataType::FixedSizeList(item(DataType::Float32), 2),
            DataType::FixedSizeList(item(DataType::Float16), 2),
        ];
        for data_type in types {
            let vectors = read(Arc::new(Int64Array::from(vec![7, 8])), cast(&wide, &data_type).unwrap()).unwrap();
            assert_eq!((vectors.ids.join(","), vectors.dimension), ("7,8".to_owned(), 2), "{data_type}");
            assert_eq!(vectors.values, [1.0, -2.5, 0.0, 3.0], "{data_type}");
        }
        let small = cast(&lists(&[Some(&[Some(-128.0), Some(7.0)])]), &DataType::List(item(DataType::Int8))).unwrap();
        assert_eq!(read(texts(&[Some("a")]), small).unwrap().values, [-128.0, 7.0]);
    }

    #[test]
    fn what_is_no_vector_is_refused_with_its_row() {
        let fine: &[Option<f64>] = &[Some(1.0), Some(2.0)];
        let cases: [(&[Option<f64>], &str); 6] = [
            (&[Some(1.0)], "row 2: vector `vector` has 1 dimensions, expected 2 as in the first row"),
            (&[], "row 2: vector `vector` is empty"),
            (&[None, Some(1.0)], "row 2: element 1 of vector `vector` is null"),
            (&[Some(1.0), Some(f64::NAN)], "row 2: element 2 of vector `vector` is not a finite 32-bit number"),
            (&[Some(f64::INFINITY), None], "row 2: element 2 of vector `vector` is null"),
            (&[Some(1e300), Some(1.0)], "row 2: element 1 of vector `vector` is not a finite 32-bit number"),
        ];
        for (second, expected) in cases {
            let error = read(texts(&[Some("a"), Some("b")]), lists(&[Some(fine), Some(second)])).unwrap_err();
            assert!(error.to_string().ends_with(expected), "{error}");
        }
        let error = read(texts(&[Some("a"), Some("b")]), lists(&[Some(fine), None])).unwrap_err();
        assert!(error.to_string().ends_with("row 2: vector `vector` is null"), "{error}");
    }

    #[test]
    fn ids_must_be_there_and_unique() {
        let one: &[Option<f64>] = &[Some(1.0)];
        let both = lists(&[Some(one), Some(one)]);
        let error = |ids: &[Option<&str>]| read(texts(ids), both.clone()).unwrap_err().to_string();
        assert!(error(&[Some("a"), None]).ends_with("row 2: the item id is null"));
        assert!(error(&[Some("a"), Some("")]).ends_with("row 2: the item id is empty"));
        assert!(error(&[Some("a"), Some("a")]).ends_with("row 2: duplicate item id `a`, first seen in row 1"));
    }

    #[test]
    fn other_columns_and_formats_are_refused() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let error = read(texts(&[Some("a")]), numbers).unwrap_err();
        assert!(error.to_string().contains("column `vector` has type Int64, expected a list of floats"), "{error}");
        let error = read(
            texts(&[Some("a")]),
            Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>([None::<Vec<Option<f64>>>])),
        )
        .unwrap_err();
        assert!(error.to_string().contains("row 1"), "{error}");
        let empty = read(texts(&[]), lists(&[])).unwrap_err();
        assert!(empty.to_string().ends_with("holds no vectors"), "{empty}");

        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("v.jsonl"), "{\"id\": 1, \"vector\": [1]}\n").unwrap();
        let error = Vectors::read(&corpus(&folder, "v.jsonl"), "vector").unwrap_err();
        assert!(error.to_string().contains("not a Parquet file"), "{error}");
        std::fs::write(folder.path().join("w.parquet"), "PAR1 and nothing else").unwrap();
        assert!(matches!(Vectors::read(&corpus(&folder, "w.parquet"), "vector"), Err(LoadError::Damaged { .. })));
        let error = Vectors::read(&corpus(&folder, "none*"), "vector").unwrap_err();
        assert!(matches!(error, LoadError::NoMatch { .. }));
    }

    #[test]
    fn a_place_is_told_over_several_files() {
        let folder = TempDir::new().unwrap();
        let one: &[Option<f64>] = &[Some(1.0)];
        write(&folder.path().join("a.parquet"), texts(&[Some("a"), Some("b")]), lists(&[Some(one), Some(one)]));
        write(&folder.path().join("b.parquet"), texts(&[Some("c")]), lists(&[Some(one)]));
        let vectors = Vectors::read(&corpus(&folder, "*.parquet"), "vector").unwrap();
        assert_eq!(vectors.vector(2), [1.0]);
        assert!(vectors.vector(3).is_empty());
        assert!(vectors.refuse(1, "x".into()).to_string().ends_with("a.parquet`, row 2: x"));
        assert!(vectors.refuse(2, "x".into()).to_string().ends_with("b.parquet`, row 1: x"));
        write(&folder.path().join("b.parquet"), texts(&[Some("a")]), lists(&[Some(one)]));
        let error = Vectors::read(&corpus(&folder, "*.parquet"), "vector").unwrap_err().to_string();
        assert!(error.contains("duplicate item id `a`, first seen in"), "{error}");
        let fixed: ArrayRef =
            Arc::new(FixedSizeListArray::from_iter_primitive::<Float64Type, _, _>([None, Some(vec![Some(1.0)])], 1));
        assert!(
            read(texts(&[Some("a"), Some("b")]), fixed)
                .unwrap_err()
                .to_string()
                .contains("row 1: vector `vector` is null")
        );
    }
}
