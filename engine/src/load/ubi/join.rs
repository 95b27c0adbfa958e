//! Queries and their events become sessions.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::events::{Event, Events, IMPRESSION, Ordinal, is_click};
use super::position::{Base, Evidence, Fit, fit};
use super::queries::{Queries, Query};
use super::records::Records;
use crate::benchmark::spec::UbiSpec;
use crate::load::LoadError;
use crate::load::dirt::{Dirt, DirtKind};
use crate::load::files;
use crate::load::held::Held;
use crate::load::trec::Share;
use crate::session::{Interaction, Session, ShownItem};
use crate::storage::is_url;

/// One session per query: in order of the queries, or so within each share where the log takes several passes.
pub(in crate::load) struct UbiSessions {
    log: UbiLog,
    share: Share,
    /// What the whole log shows about positions.
    evidence: Evidence,
    sessions: std::vec::IntoIter<Session>,
}

/// Shares are powers of two up to this: more passes are no way to read a log.
const MOST_SHARES: u64 = 256;

impl UbiSessions {
    /// Opens a log of which about `memory_bytes` are held at once.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::NoMatch`] or [`LoadError::Io`] when a file is missing or cannot be read, [`LoadError::Damaged`]
    /// for a damaged table, [`LoadError::Row`] for a line that is no JSON object, and [`LoadError::Format`] when the log holds
    /// several applications and none, or one that is not there, is chosen, and [`LoadError::Memory`] when a query with its
    /// events, or the share of one in [`MOST_SHARES`], takes more than the limit.
    pub(in crate::load) fn open(spec: &UbiSpec, memory_bytes: usize, dirt: &mut Dirt) -> Result<Self, LoadError> {
        let log = UbiLog {
            queries: files::expand(&spec.queries)?,
            events: files::expand(&spec.events)?,
            application: spec.application.clone(),
            memory_bytes,
        };
        let place = Path::new(&spec.queries);
        let mut found = dirt.clone();
        match log.join(Share::WHOLE, place, &mut found) {
            Err(LoadError::Memory { .. }) => {}
            joined => {
                let joined = joined?;
                let evidence = joined.evidence();
                *dirt = found;
                let sessions = joined.sessions(evidence, dirt).into_iter();
                return Ok(Self { log, share: Share::WHOLE, evidence, sessions });
            }
        }
        let (share, evidence) = log.survey(place)?;
        let sessions = log.join(share, place, dirt)?.sessions(evidence, dirt).into_iter();
        Ok(Self { log, share, evidence, sessions })
    }

    /// Looks at the first record of each file that lies on this machine.
    ///
    /// # Errors
    ///
    /// Returns an error that [`UbiSessions::open`] returns too.
    pub(in crate::load) fn look(spec: &UbiSpec) -> Result<(), LoadError> {
        for pattern in [&spec.queries, &spec.events].into_iter().filter(|pattern| !is_url(pattern)) {
            for path in files::expand(pattern)? {
                Records::open(&path)?.next_record(&mut Dirt::default())?;
            }
        }
        Ok(())
    }

    /// Returns the next session, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns what [`UbiSessions::open`] does.
    pub(in crate::load) fn next_session(&mut self, dirt: &mut Dirt) -> Result<Option<Session>, LoadError> {
        loop {
            if let Some(session) = self.sessions.next() {
                return Ok(Some(session));
            }
            let Some(share) = self.share.next() else { return Ok(None) };
            self.share = share;
            // Applications were looked at with the first share: each pass meets all of them.
            let place = self.log.queries.first().cloned().unwrap_or_default();
            self.sessions = self.log.join(share, &place, dirt)?.sessions(self.evidence, dirt).into_iter();
        }
    }
}

/// Where a log lies.
struct UbiLog {
    queries: Vec<PathBuf>,
    events: Vec<PathBuf>,
    application: Option<String>,
    memory_bytes: usize,
}

impl UbiLog {
    /// Returns the first of the shares that the log is read in so that each fits, and what all of them show about positions.
    fn survey(&self, place: &Path) -> Result<(Share, Evidence), LoadError> {
        let mut first = Share { number: 0, of: 2 };
        loop {
            let (mut evidence, mut share) = (Evidence::default(), Some(first));
            while let Some(present) = share {
                match self.join(present, place, &mut Dirt::default()) {
                    Err(LoadError::Memory { .. }) if first.of < MOST_SHARES => break,
                    joined => evidence.add(joined?.evidence()),
                }
                share = present.next();
            }
            if share.is_none() {
                return Ok((first, evidence));
            }
            first.of *= 2;
        }
    }

    /// Reads the queries of a share and their events.
    fn join(&self, share: Share, place: &Path, dirt: &mut Dirt) -> Result<Joined, LoadError> {
        let application = self.application.as_deref();
        let mut applications = BTreeSet::new();
        let mut held = Held::new(self.memory_bytes, "joining the events of each query");
        let queries = Queries::read(&self.queries, (application, share), &mut applications, &mut held, dirt)?;
        let events = Events::read(&self.events, (application, share), &mut applications, &mut held, dirt)?;
        check_applications(place, application, &applications)?;
        dirt.add_many(DirtKind::EventWithoutQuery, events.orphans(&queries.positions));
        Ok(Joined { queries, events })
    }
}

/// Queries and their events.
struct Joined {
    queries: Queries,
    events: Events,
}

impl Joined {
    /// Returns what they show about positions. Of one application only: several are refused.
    fn evidence(&self) -> Evidence {
        let mut all = Evidence::default();
        self.queries.rows.iter().for_each(|query| all.add(self.evidence_of(query)));
        all
    }

    fn evidence_of(&self, query: &Query) -> Evidence {
        let mut own = Evidence::default();
        for event in self.events.by_query.get(&query.query_id).into_iter().flatten() {
            own.note(&query.served, &event.item_id, event.ordinal);
        }
        own
    }

    fn sessions(mut self, log: Evidence, dirt: &mut Dirt) -> Vec<Session> {
        let evidence: Vec<Evidence> = self.queries.rows.iter().map(|query| self.evidence_of(query)).collect();
        let sessions = self.queries.rows.into_iter().zip(evidence).map(|(query, own)| {
            let own_events = self.events.by_query.remove(&query.query_id).unwrap_or_default();
            session(query, own_events, Bases { log, own }, dirt)
        });
        sessions.collect()
    }
}

fn check_applications(path: &Path, chosen: Option<&str>, found: &BTreeSet<String>) -> Result<(), LoadError> {
    let names: Vec<String> = found.iter().map(|name| format!("`{name}`")).collect();
    let names = if names.is_empty() { "none".into() } else { names.join(", ") };
    let reason = match chosen {
        None if found.len() > 1 => {
            format!(
                "the log holds several applications ({names}), which must not be mixed; choose one with `application` in \
                 a benchmark, or with `--ubi-application` of `rematch import`"
            )
        }
        Some(chosen) if !found.contains(chosen) => {
            format!("no row has the application `{chosen}`; applications found: {names}")
        }
        _ => return Ok(()),
    };
    Err(LoadError::Format { path: PathBuf::from(path), reason })
}

/// What the whole log and one session show about the base of positions.
struct Bases {
    log: Evidence,
    own: Evidence,
}

fn session(query: Query, events: Vec<Event>, bases: Bases, dirt: &mut Dirt) -> Session {
    if bases.log.is_mixed() && !events.is_empty() {
        dirt.add(DirtKind::PositionBaseMixed);
    }
    let visit_id = events.iter().find_map(|event| event.visit_id.clone()).or_else(|| query.client_id.clone());
    let user_id = query.client_id.clone().or_else(|| events.iter().find_map(|event| event.client_id.clone()));
    let interaction = |event: Event| Interaction {
        position: position(&query, &event, &bases, dirt),
        item_id: event.item_id,
        kind: event.kind,
        timestamp: event.timestamp,
        value: None,
    };
    let interactions: Vec<Interaction> = events.into_iter().map(interaction).collect();
    let mut shown = query.served;
    if shown.is_empty() {
        shown = shown_from(&interactions);
        dirt.add_many(DirtKind::ShownFromImpressions, u64::from(!shown.is_empty()));
    }
    Session {
        session_id: query.query_id,
        visit_id,
        user_id,
        timestamp: query.timestamp,
        query: query.text,
        inputs: query.attributes,
        shown: shown.into_iter().map(|item_id| ShownItem { item_id, ..ShownItem::default() }).collect(),
        interactions,
        ..Session::default()
    }
}

fn position(query: &Query, event: &Event, bases: &Bases, dirt: &mut Dirt) -> Option<u32> {
    let ordinal = match event.ordinal {
        Ordinal::At(ordinal) => ordinal,
        Ordinal::Missing => return None,
        Ordinal::Invalid => {
            dirt.add(DirtKind::PositionInvalid);
            return None;
        }
    };
    let fit = fit(&query.served, &event.item_id, ordinal);
    if let Fit::Served { position, base } = fit {
        count_base(base, is_click(&event.kind), dirt);
        return Some(position);
    }
    if fit == Fit::Contradiction {
        dirt.add(DirtKind::PositionContradictsShown);
    } else if !query.served.is_empty() {
        dirt.add(DirtKind::ItemNotShown);
    }
    let assumed = bases.log.is_mixed() && bases.own.base().is_none();
    let own = if bases.log.is_mixed() { bases.own.base() } else { None };
    let base = own.or_else(|| bases.log.base()).unwrap_or(Base::One);
    let position = base.position(ordinal);
    match position {
        None => dirt.add(DirtKind::PositionInvalid),
        Some(_) if base == Base::Zero => dirt.add(DirtKind::PositionBaseZero),
        Some(_) => {}
    }
    if assumed && position.is_some() {
        dirt.add(DirtKind::PositionBaseAssumed);
    }
    position
}

fn count_base(base: Base, click: bool, dirt: &mut Dirt) {
    if base == Base::Zero {
        dirt.add(DirtKind::PositionBaseZero);
    }
    if click {
        dirt.add(match base {
            Base::Zero => DirtKind::ClickPositionZeroBased,
            Base::One => DirtKind::ClickPositionOneBased,
        });
    }
}

/// Returns the items of the impressions by position, then in the order of the log; those without a position come last.
fn shown_from(interactions: &[Interaction]) -> Vec<String> {
    let mut impressions: Vec<&Interaction> = interactions.iter().filter(|act| act.kind == IMPRESSION).collect();
    impressions.sort_by_key(|act| act.position.unwrap_or(u32::MAX));
    let mut met = HashSet::new();
    impressions.into_iter().filter(|act| met.insert(&act.item_id)).map(|act| act.item_id.clone()).collect()
}
