//! Small files for tests.

use std::io::Write;
use std::path::{Path, PathBuf};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::ipc::writer::{FileWriter, StreamWriter};
use datafusion::parquet::arrow::ArrowWriter;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::dirt::Dirt;
use super::{LoadError, SessionReader};
use crate::benchmark::spec::SessionsPath;
use crate::session::Session;

/// A folder of files that goes away with the test.
pub(super) struct Fixture(tempfile::TempDir);

impl Fixture {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(super) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, content).expect("written");
        path
    }

    pub(super) fn table(&self, name: &str, batch: &RecordBatch) -> PathBuf {
        self.write(name, parquet(batch))
    }
}

pub(super) fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("a writer");
    writer.write(batch).expect("written");
    writer.close().expect("closed");
    bytes
}

pub(super) fn arrow_file(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new(&mut bytes, batch.schema_ref()).expect("a writer");
    writer.write(batch).expect("written");
    writer.finish().expect("finished");
    drop(writer);
    bytes
}

pub(super) fn arrow_stream(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, batch.schema_ref()).expect("a writer");
    writer.write(batch).expect("written");
    writer.finish().expect("finished");
    drop(writer);
    bytes
}

pub(super) fn gzip(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content.as_ref()).expect("compressed");
    encoder.finish().expect("compressed")
}

pub(super) fn files(path: &Path) -> SessionsPath {
    SessionsPath::Files(vec![path.display().to_string()])
}

/// Returns every session, or the error that ended the reading, and what was dirty.
pub(super) fn read_all(path: &SessionsPath) -> (Result<Vec<Session>, LoadError>, Dirt) {
    let mut reader = match SessionReader::open(path, None) {
        Ok(reader) => reader,
        Err(error) => return (Err(error), Dirt::default()),
    };
    let sessions = reader.by_ref().collect();
    assert!(reader.next().is_none(), "a reader ends once");
    (sessions, reader.dirt().clone())
}

/// Returns a path below the shared reference data, or `None` (saying so) where there is none.
pub(super) fn shared(name: &str) -> Option<PathBuf> {
    match std::env::var_os("REMATCH_SHARED") {
        Some(folder) => Some(PathBuf::from(folder).join("data").join(name)),
        None => {
            eprintln!("skipped: REMATCH_SHARED is not set");
            None
        }
    }
}
