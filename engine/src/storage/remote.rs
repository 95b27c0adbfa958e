//! An object of a store, or a prefix: the few things that are done with one, as calls that block.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path as Key;
use object_store::{
    Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
};

use super::calls;
use super::client::client;
use super::location::{Location, ObjectUrl, Scheme};
use super::object_error::{changed, explained};
use super::waiting::{Waiting, begin, wait};

/// Bytes per request where much is moved: far below what a timeout allows, far above what a request costs.
const PIECE: u64 = 8 << 20;
/// Requests in flight where much is moved.
const IN_FLIGHT: usize = 4;
/// What is sent in one request, and may thus be written under a condition; more goes up in pieces.
const SINGLE_PUT: u64 = 32 << 20;

/// An object, whether or not it is there, or the prefix of some.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    url: ObjectUrl,
    store: Arc<dyn ObjectStore>,
    key: Key,
}

/// What tells one content of an object from the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) length: u64,
    pub(crate) etag: Option<String>,
    /// Milliseconds since 1970; 0 where the store does not say.
    pub(crate) modified_ms: i64,
}

/// An object of a listing.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) location: Location,
    /// The key below the prefix that was listed.
    pub(crate) name: String,
    pub(crate) version: Version,
}

/// How an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// What is there is replaced.
    Replace,
    /// What is there stays: whoever wrote it wrote the same.
    Once,
}

impl Version {
    fn of(meta: &ObjectMeta) -> Self {
        Self { length: meta.size, etag: meta.e_tag.clone(), modified_ms: meta.last_modified.timestamp_millis() }
    }

    /// Returns whether two contents with this version are surely the same.
    pub(crate) fn is_certain(&self) -> bool {
        self.etag.is_some() || self.modified_ms != 0
    }
}

impl Remote {
    /// Returns the object at a location; `None` where it is on this machine.
    pub(crate) fn at(location: &Location) -> io::Result<Option<Self>> {
        let Some(url) = location.object() else { return Ok(None) };
        Ok(Some(Self { url: url.clone(), store: client(url)?, key: url.store_key()? }))
    }

    pub(super) fn url(&self) -> &ObjectUrl {
        &self.url
    }

    fn failed(&self, error: Error) -> io::Error {
        explained(&self.url, error)
    }

    /// Returns the object's present version.
    pub(crate) fn head(&self) -> io::Result<Version> {
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        match wait(async move { store.head(&key).await })? {
            Ok(meta) => Ok(Version::of(&meta)),
            Err(error @ (Error::NotFound { .. } | Error::PermissionDenied { .. })) => {
                Err(self.failed(self.said_of(error)?))
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Returns what the store says of an object that it does not show: a reply to a HEAD has no body that would tell a missing
    /// bucket from a missing key, or a wrong key from a missing permission; a reply to a listing has.
    fn said_of(&self, error: Error) -> io::Result<Error> {
        if self.url.scheme == Scheme::Http {
            return Ok(error);
        }
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let said = wait(async move { store.list_with_delimiter(Some(&key)).await })?;
        Ok(said.err().unwrap_or(error))
    }

    /// Returns the object's version, `None` where it is not there.
    pub(crate) fn find(&self) -> io::Result<Option<Version>> {
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        match wait(async move { store.head(&key).await })? {
            Ok(meta) => Ok(Some(Version::of(&meta))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Reads a small object with its version; `None` where it is not there.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be read, or has more than `most` bytes.
    pub(crate) fn whole(&self, most: u64) -> io::Result<Option<(Bytes, Version)>> {
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let read = wait(async move {
            let reply = store.get(&key).await?;
            let version = Version::of(&reply.meta);
            if version.length > most {
                return Ok(Err(version.length));
            }
            Ok(Ok((reply.bytes().await?, version)))
        })?;
        match read {
            Ok(Ok(found)) => Ok(Some(found)),
            Ok(Err(length)) => {
                let message = format!("`{}` has {length} bytes, expected at most {most}", self.url);
                Err(io::Error::new(io::ErrorKind::InvalidData, message))
            }
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Begins to read a range of a version.
    fn begin_range(&self, version: &Version, range: Range<u64>) -> io::Result<Waiting<Result<Bytes, Error>>> {
        let (store, key, expected) = (Arc::clone(&self.store), self.key.clone(), version.clone());
        // A weak tag never matches in `If-Match`; what comes back is compared in any case.
        let if_match = version.etag.clone().filter(|tag| !tag.starts_with("W/"));
        begin(async move {
            let options = GetOptions { range: Some(GetRange::Bounded(range)), if_match, ..GetOptions::default() };
            let reply = store.get_opts(&key, options).await?;
            if Version::of(&reply.meta) != expected {
                return Err(Error::Precondition { path: key.to_string(), source: "another version".into() });
            }
            reply.bytes().await
        })
    }

    /// Reads a range of a version.
    pub(crate) fn range(&self, version: &Version, range: Range<u64>) -> io::Result<Bytes> {
        let wanted = range.end.saturating_sub(range.start);
        let bytes = self.begin_range(version, range)?.wait()?.map_err(|error| self.failed(error))?;
        if bytes.len() as u64 == wanted { Ok(bytes) } else { Err(changed(&self.url)) }
    }

    /// Returns whether ranges of the object can be read.
    pub(crate) fn has_ranges(&self, version: &Version) -> io::Result<bool> {
        if self.url.scheme != Scheme::Http || version.length == 0 {
            return Ok(true);
        }
        match self.begin_range(version, 0..1)?.wait()? {
            Ok(_) => Ok(true),
            Err(Error::NotSupported { .. }) => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Reads a whole version in order, in constant memory.
    pub(crate) fn read(&self, version: &Version, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        if !self.has_ranges(version)? {
            return self.read_in_one(version, each);
        }
        let mut starts = (0..version.length).step_by(PIECE as usize);
        let mut under_way = VecDeque::new();
        loop {
            while under_way.len() < IN_FLIGHT
                && let Some(start) = starts.next()
            {
                let end = version.length.min(start + PIECE);
                under_way.push_back((end - start, self.begin_range(version, start..end)?));
            }
            let Some((length, piece)) = under_way.pop_front() else { return Ok(()) };
            let bytes = piece.wait()?.map_err(|error| self.failed(error))?;
            if bytes.len() as u64 != length {
                return Err(changed(&self.url));
            }
            each(&bytes)?;
        }
    }

    /// Reads a version from a server that knows no ranges.
    fn read_in_one(&self, version: &Version, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let reply = wait(async move { store.get(&key).await })?.map_err(|error| self.failed(error))?;
        if Version::of(&reply.meta) != *version {
            return Err(changed(&self.url));
        }
        let (mut stream, mut read) = (reply.into_stream(), 0);
        loop {
            let (next, rest) = wait(async move { (stream.next().await, stream) })?;
            stream = rest;
            let Some(bytes) = next.transpose().map_err(|error| self.failed(error))? else { break };
            read += bytes.len() as u64;
            each(&bytes)?;
        }
        if read == version.length { Ok(()) } else { Err(changed(&self.url)) }
    }

    /// Writes an object from a local file, in bounded memory.
    pub(crate) fn upload(&self, file: &File, length: u64, put: Put) -> io::Result<bool> {
        if length <= SINGLE_PUT {
            return self.put(piece(file, 0, length)?, put);
        }
        if put == Put::Once && self.find()?.is_some() {
            return Ok(false);
        }
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let upload = wait(async move { store.put_multipart(&key).await })?.map_err(|error| self.failed(error))?;
        self.upload_pieces(upload, file, length).map(|()| true)
    }

    fn upload_pieces(
        &self,
        mut upload: Box<dyn object_store::MultipartUpload>,
        file: &File,
        length: u64,
    ) -> io::Result<()> {
        let mut under_way = VecDeque::new();
        let mut send = || {
            for start in (0..length).step_by(PIECE as usize) {
                let bytes = piece(file, start, PIECE.min(length - start))?;
                under_way.push_back(begin(upload.put_part(PutPayload::from(bytes)))?);
                if under_way.len() >= IN_FLIGHT
                    && let Some(first) = under_way.pop_front()
                {
                    first.wait()?.map_err(|error| self.failed(error))?;
                }
            }
            under_way.drain(..).try_for_each(|part| part.wait()?.map_err(|error| self.failed(error)))
        };
        let sent = send();
        let ended = wait(async move {
            match sent {
                Ok(()) => Ok(upload.complete().await.map(|_| ())),
                Err(error) => {
                    // What was sent costs money until it is given up; where that fails too, the first error counts.
                    let _ = upload.abort().await;
                    Err(error)
                }
            }
        })?;
        ended?.map_err(|error| self.failed(error))
    }

    /// Writes an object, and returns whether it is known to be of these bytes: one that is there may be.
    pub(crate) fn put(&self, bytes: Bytes, put: Put) -> io::Result<bool> {
        if put == Put::Replace {
            return self.put_as(bytes, PutMode::Overwrite)?.map(|()| true).map_err(|error| self.failed(error));
        }
        match self.put_as(bytes.clone(), PutMode::Create)? {
            Ok(()) => Ok(true),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
            // A store without conditional writes gets the same bytes once more.
            Err(Error::NotImplemented { .. } | Error::NotSupported { .. }) => self.put(bytes, Put::Replace),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn put_as(&self, bytes: Bytes, mode: PutMode) -> io::Result<Result<(), Error>> {
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let options = PutOptions { mode, ..PutOptions::default() };
        wait(async move { store.put_opts(&key, PutPayload::from(bytes), options).await.map(|_| ()) })
    }

    /// Removes the object; one that is not there is no error.
    pub(crate) fn remove(&self) -> io::Result<()> {
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        match wait(async move { store.delete(&key).await })? {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Removes objects of this store.
    pub(crate) fn remove_all(&self, objects: &[Listed]) -> io::Result<()> {
        let keys: Vec<Result<Key, Error>> =
            objects.iter().filter_map(|listed| listed.location.object()?.store_key().ok()).map(Ok).collect();
        let store = Arc::clone(&self.store);
        let removed =
            wait(
                async move { store.delete_stream(stream::iter(keys).boxed()).try_for_each(|_| async { Ok(()) }).await },
            )?;
        removed.map_err(|error| self.failed(error))
    }

    /// Returns the objects below this prefix, sorted by key.
    pub(crate) fn list(&self) -> io::Result<Vec<Listed>> {
        self.check_listable()?;
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let listed = wait(async move { store.list(Some(&key)).try_collect::<Vec<ObjectMeta>>().await })?;
        let mut objects = listed.map_err(|error| self.failed(error))?;
        objects.sort_by(|one, other| one.location.cmp(&other.location));
        Ok(objects.iter().map(|meta| self.listed(meta)).collect())
    }

    /// Returns the names of the folders right below this prefix, sorted.
    pub(crate) fn folders(&self) -> io::Result<Vec<String>> {
        self.check_listable()?;
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let listed = wait(async move { store.list_with_delimiter(Some(&key)).await })?;
        let listed = listed.map_err(|error| self.failed(error))?;
        let name = |folder: &Key| folder.filename().map(str::to_owned);
        let mut names: Vec<String> = listed.common_prefixes.iter().filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    fn listed(&self, meta: &ObjectMeta) -> Listed {
        let key = meta.location.as_ref();
        let name = key.strip_prefix(self.key.as_ref()).unwrap_or(key).trim_start_matches('/').to_owned();
        Listed { location: self.url.with_key(&meta.location).into_location(), name, version: Version::of(meta) }
    }

    /// Returns whether objects can be listed and written, not only read.
    pub(crate) fn is_a_store(&self) -> bool {
        self.url.scheme != Scheme::Http
    }

    fn check_listable(&self) -> io::Result<()> {
        if !self.is_a_store() {
            let message = format!("`{}`: files behind http cannot be listed; name each file", self.url);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(())
    }
}

/// Reads a piece of a local file.
fn piece(file: &File, start: u64, length: u64) -> io::Result<Bytes> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let (mut bytes, mut read) = (vec![0; length], 0);
    while read < length {
        match calls::read_at(file, bytes.get_mut(read..).unwrap_or_default(), start + read as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => read += more,
        }
    }
    Ok(bytes.into())
}
