//! The lock of a run directory in an object store: a lease that its holder renews.
//!
//! Stores have no locks, but can write an object under the condition that it is not there. A lease is the object
//! `lock/<number>.json`; who has the highest number has the directory. To take it over is to write the next number, which
//! only one process succeeds in. The holder writes its object again and again, so that the store's own clock says when it
//! was last heard of: after [`LeaseTime`] without a sign of life anybody may take over, and at once where it said that it is
//! done, or where it was a process of this machine that is not there any more.
//!
//! A holder asks before it publishes whether it still is one. That keeps work from being done twice; that nothing is ever
//! corrupt does not hang on it, since whoever publishes a file of a run publishes the same bytes.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::holder::Holder;
use super::{StoreError, layout};
use crate::storage::{Location, Put, Remote};

/// How long a holder that is not heard of keeps a run directory in an object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTime(Duration);

impl LeaseTime {
    /// What holds where nobody says anything: a minute. A request that is sent again and again is given up after half of it.
    pub const DEFAULT: Self = Self(Duration::from_secs(60));

    /// Returns a time; `None` below one second, which is as exact as stores tell times.
    #[must_use]
    pub fn new(time: Duration) -> Option<Self> {
        (time >= Duration::from_secs(1)).then_some(Self(time))
    }

    /// Says how long the leases are that this process takes from now on.
    pub fn apply(self) {
        *TIME.lock().unwrap_or_else(PoisonError::into_inner) = self;
    }

    fn current() -> Self {
        *TIME.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long after a sign of life its sender publishes: until nobody can have taken over.
    fn valid(self) -> Duration {
        self.0 / 2
    }

    fn between_signs(self) -> Duration {
        self.0 / 6
    }
}

static TIME: Mutex<LeaseTime> = Mutex::new(LeaseTime::DEFAULT);

/// The leases that this process holds, by the directory's URL: directories that are only looked at obey them as well.
static HELD: Mutex<Vec<(String, Weak<Shared>)>> = Mutex::new(Vec::new());

/// Bytes of a lease that are read: far more than any has.
const MOST_BYTES: u64 = 1 << 16;

/// Others may write the same number at the same moment; whoever loses looks again.
const TRIES: usize = 5;

/// A run directory in an object store that is this process's. It is given back when the value is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    shared: Arc<Shared>,
    heart: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    directory: Location,
    number: u64,
    holder: Holder,
    time: LeaseTime,
    state: Mutex<State>,
    ended: AtomicBool,
    wake: Condvar,
}

#[derive(Debug)]
struct State {
    /// When the last sign of life that arrived was begun.
    renewed: Instant,
    /// Who took over, in words.
    lost: Option<String>,
}

/// What a directory that is looked at knows of its process's lease.
#[derive(Debug, Clone)]
pub(super) struct Guard(Weak<Shared>);

impl Guard {
    /// Returns the guard of a directory that this process holds; `None` where it holds none.
    pub(super) fn of(directory: &Location) -> Option<Self> {
        let url = directory.to_string();
        let held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().rev().find(|(of, shared)| *of == url && shared.strong_count() > 0).map(|(_, it)| Self(it.clone()))
    }

    /// Makes sure that the process may still publish.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.0.upgrade().map_or(Ok(()), |shared| shared.check())
    }
}

impl Lease {
    /// Takes a directory, or says who has it.
    pub(super) fn take(directory: &Location) -> Result<Self, StoreError> {
        let time = LeaseTime::current();
        let failed = |source| StoreError::io(&directory.to_path(), source);
        let mut found = None;
        for _ in 0..TRIES {
            let numbers = numbers(directory).map_err(failed)?;
            let number = match numbers.last() {
                None => 1,
                Some(last) => {
                    let Some(next) = last.checked_add(1) else { return Err(failed(no_number_after(*last))) };
                    let Some(lease) = Found::read(directory, *last).map_err(failed)? else { continue };
                    if !lease.is_over(directory).map_err(failed)? {
                        let locked = lease.locked(directory).map_err(failed)?;
                        return Err(locked);
                    }
                    found = Some(lease);
                    next
                }
            };
            let renewed = Instant::now();
            let holder = Holder::this_process(time.0);
            if create(directory, number, &holder).map_err(failed)? {
                // Best effort: what is left of those before costs a line in a listing.
                let _ = remove_others(directory, number);
                return Ok(Self::begin(directory.clone(), number, holder, time, renewed));
            }
        }
        let path = directory.to_path();
        Err(StoreError::Locked { path, holder: found.map(|lease| lease.holder.to_string()) })
    }

    fn begin(directory: Location, number: u64, holder: Holder, time: LeaseTime, renewed: Instant) -> Self {
        let state = Mutex::new(State { renewed, lost: None });
        let (ended, wake) = (AtomicBool::new(false), Condvar::new());
        let shared = Arc::new(Shared { directory, number, holder, time, state, ended, wake });
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(_, shared)| shared.strong_count() > 0);
        held.push((shared.directory.to_string(), Arc::downgrade(&shared)));
        drop(held);
        let beating = Arc::clone(&shared);
        let heart = std::thread::Builder::new().name("run-lease".to_owned()).spawn(move || beating.beat());
        // Without a thread the lease is renewed when it is asked after.
        Self { shared, heart: heart.ok() }
    }

    /// Returns what tells whether the directory is still held.
    pub(super) fn guard(&self) -> Guard {
        Guard(Arc::downgrade(&self.shared))
    }

    /// Gives the directory back and removes what the lease left in the store.
    pub(super) fn remove(mut self) -> io::Result<()> {
        self.end();
        let folder = self.shared.directory.join(layout::LEASES);
        let Some(remote) = Remote::at(&folder)? else { return Ok(()) };
        remote.remove_all(&remote.list()?)?;
        self.shared.lock().lost = Some("the run was removed".to_owned());
        Ok(())
    }

    fn end(&mut self) {
        let state = self.shared.lock();
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.wake.notify_all();
        drop(state);
        if let Some(heart) = self.heart.take() {
            // It does not panic, and if it did, its work is over as well.
            let _ = heart.join();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end();
        if self.shared.lock().lost.is_some() {
            return;
        }
        // What another process wrote under our number is not ours to give back.
        let own = self.shared.own();
        if own.is_ok_and(|own| own.is_some_and(|own| own.holder.id == self.shared.holder.id)) {
            let holder = self.shared.holder.clone().done();
            // Best effort: who is not told waits until the lease is over.
            let _ = self.shared.write(&holder);
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews the lease until it ends or is lost.
    fn beat(&self) {
        let is_over = |state: &State| self.ended.load(Ordering::SeqCst) || state.lost.is_some();
        let mut state = self.lock();
        // Whoever ends it may have said so before there was anybody to wake.
        while !is_over(&state) {
            let waited = self.wake.wait_timeout(state, self.time.between_signs());
            let (woken, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if is_over(&woken) {
                return;
            }
            drop(woken);
            // A store that cannot be reached now may be at the next sign; whoever publishes looks at the time.
            let _ = self.renew();
            state = self.lock();
        }
    }

    /// Gives a sign of life and looks whether somebody has taken over.
    fn renew(&self) -> io::Result<()> {
        let begun = Instant::now();
        match self.own()? {
            Some(own) if own.holder.id == self.holder.id => self.write(&self.holder)?,
            // A store that knows no conditions let another process write the same number later.
            Some(other) => {
                self.lock().lost = Some(other.holder.to_string());
                return Ok(());
            }
            None => {}
        }
        let last = numbers(&self.directory)?.last().copied();
        let words = match last {
            Some(last) if last == self.number => {
                self.lock().renewed = begun;
                return Ok(());
            }
            Some(last) => Found::read(&self.directory, last)?
                .map_or_else(|| "somebody else".to_owned(), |found| found.holder.to_string()),
            None => "nobody: its lock was removed from the store".to_owned(),
        };
        self.lock().lost = Some(words);
        Ok(())
    }

    /// Returns what stands in the store under our number.
    fn own(&self) -> io::Result<Option<Found>> {
        Found::read(&self.directory, self.number)
    }

    fn write(&self, holder: &Holder) -> io::Result<()> {
        object(&self.directory, self.number)?.put(holder.bytes()?, Put::Replace).map(|_| ())
    }

    fn check(&self) -> Result<(), StoreError> {
        let path = || -> PathBuf { self.directory.to_path() };
        let lost = |state: &State| state.lost.clone().map(|by| StoreError::LeaseLost { path: path(), by });
        let state = self.lock();
        if let Some(error) = lost(&state) {
            return Err(error);
        }
        if state.renewed.elapsed() <= self.time.valid() {
            return Ok(());
        }
        drop(state);
        // The process was stopped for a while, or the store could not be reached.
        self.renew().map_err(|source| StoreError::io(&path(), source))?;
        lost(&self.lock()).map_or(Ok(()), Err)
    }
}

/// A lease as it stands in the store.
struct Found {
    holder: Holder,
    modified_ms: i64,
}

impl Found {
    /// Returns the lease of a number; `None` where it was removed.
    fn read(directory: &Location, number: u64) -> io::Result<Option<Self>> {
        let remote = object(directory, number)?;
        let Some((bytes, version)) = remote.whole(MOST_BYTES)? else { return Ok(None) };
        // What nobody can read was written by another version, which says when it is over by the usual time.
        let holder = Holder::read(&bytes).unwrap_or_else(|| Holder::unknown(LeaseTime::DEFAULT.0));
        Ok(Some(Self { holder, modified_ms: version.modified_ms }))
    }

    fn is_over(&self, directory: &Location) -> io::Result<bool> {
        Ok(self.holder.released
            || self.holder.is_gone()
            || self.silent(directory)? > self.holder.lasts() + Duration::from_secs(1))
    }

    /// Returns for how long nobody has heard of the holder, by the clock of the store.
    fn silent(&self, directory: &Location) -> io::Result<Duration> {
        let now = store_time(directory)?;
        Ok(Duration::from_millis(u64::try_from(now - self.modified_ms).unwrap_or(0)))
    }

    fn locked(&self, directory: &Location) -> io::Result<StoreError> {
        let (silent, lasts) = (self.silent(directory)?.as_secs(), self.holder.lasts().as_secs());
        let words = format!(
            "{}, last heard of {silent} s ago; if it is dead, its lease is over {lasts} s after that",
            self.holder
        );
        Ok(StoreError::Locked { path: directory.to_path(), holder: Some(words) })
    }
}

/// Returns what time it is in the store, milliseconds since 1970: it is the clock that all who ask have in common.
fn store_time(directory: &Location) -> io::Result<i64> {
    let name = format!("{}/asked-{}", layout::LEASES, Holder::this_process(Duration::ZERO).id);
    let Some(remote) = Remote::at(&directory.join(name))? else { return Ok(0) };
    for _ in 0..TRIES {
        remote.put(Bytes::from_static(b"{}\n"), Put::Replace)?;
        let found = remote.find();
        // Best effort: whoever takes the directory next removes it.
        let _ = remote.remove();
        // Whoever takes or removes the directory right now may have removed ours with the rest.
        if let Some(version) = found? {
            return Ok(version.modified_ms);
        }
    }
    let message =
        format!("what is written to `{directory}/{}` is removed at once by others; try again", layout::LEASES);
    Err(io::Error::other(message))
}

/// Returns why nobody can take a directory with that lease: it was not written by this program, which counts from 1.
fn no_number_after(last: u64) -> io::Error {
    let folder = layout::LEASES;
    let message =
        format!("`{folder}/{last}.json` leaves no number for another lease; remove it, it is no lease of a run");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn object(directory: &Location, number: u64) -> io::Result<Remote> {
    let location = directory.join(format!("{}/{number:06}.json", layout::LEASES));
    Remote::at(&location)?.ok_or_else(|| io::Error::other("a lease is of a directory in an object store"))
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(".json")?.parse().ok()
}

/// Returns the numbers of the leases that are there, in order.
fn numbers(directory: &Location) -> io::Result<Vec<u64>> {
    let Some(folder) = Remote::at(&directory.join(layout::LEASES))? else { return Ok(Vec::new()) };
    let mut numbers: Vec<u64> = folder.list()?.iter().filter_map(|listed| number_of(&listed.name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Returns whether the lease of that number is now ours.
fn create(directory: &Location, number: u64, holder: &Holder) -> io::Result<bool> {
    let remote = object(directory, number)?;
    remote.put(holder.bytes()?, Put::Once)?;
    // A store that knows no conditions takes what was written last; one that does kept what was first.
    Ok(Found::read(directory, number)?.is_some_and(|found| found.holder.id == holder.id))
}

fn remove_others(directory: &Location, number: u64) -> io::Result<()> {
    let Some(folder) = Remote::at(&directory.join(layout::LEASES))? else { return Ok(()) };
    let mut others = folder.list()?;
    others.retain(|listed| number_of(&listed.name).is_none_or(|other| other < number));
    if others.is_empty() { Ok(()) } else { folder.remove_all(&others) }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
