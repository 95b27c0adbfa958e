//! Queries and their events become sessions.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::events::{Event, Events, IMPRESSION, Ordinal, is_click};
use super::position::{Base, Evidence, Fit, fit};
use super::queries::{Queries, Query};
use crate::benchmark::spec::UbiSpec;
use crate::load::LoadError;
use crate::load::dirt::{Dirt, DirtKind};
use crate::load::files;
use crate::load::held::Held;
use crate::session::{Interaction, Session, ShownItem};

/// Returns one session per query, in order of the queries.
///
/// # Errors
///
/// Returns [`LoadError::NoMatch`] or [`LoadError::Io`] when a file is missing or cannot be read, [`LoadError::Damaged`] for
/// a damaged table, [`LoadError::Row`] for a line that is no JSON object, and [`LoadError::Format`] when the log holds
/// several applications and none, or one that is not there, is chosen, and [`LoadError::Memory`] when the log takes more than
/// about `memory_bytes`.
pub(in crate::load) fn read(spec: &UbiSpec, memory_bytes: usize, dirt: &mut Dirt) -> Result<Vec<Session>, LoadError> {
    let application = spec.application.as_deref();
    let mut applications = BTreeSet::new();
    let mut held = Held::new(memory_bytes, "joining the events of each query");
    let queries = Queries::read(&files::expand(&spec.queries)?, application, &mut applications, &mut held, dirt)?;
    let mut events = Events::read(&files::expand(&spec.events)?, application, &mut applications, &mut held, dirt)?;
    check_applications(Path::new(&spec.queries), application, &applications)?;
    dirt.add_many(DirtKind::EventWithoutQuery, events.orphans(&queries.positions));

    // Of one application only: several are refused above.
    let mut log = Evidence::default();
    let mut evidence = Vec::with_capacity(queries.rows.len());
    for query in &queries.rows {
        let mut own = Evidence::default();
        for event in events.by_query.get(&query.query_id).into_iter().flatten() {
            own.note(&query.served, &event.item_id, event.ordinal);
        }
        log.add(own);
        evidence.push(own);
    }
    let sessions = queries.rows.into_iter().zip(evidence);
    let sessions = sessions.map(|(query, own)| {
        let own_events = events.by_query.remove(&query.query_id).unwrap_or_default();
        session(query, own_events, Bases { log, own }, dirt)
    });
    Ok(sessions.collect())
}

fn check_applications(path: &Path, chosen: Option<&str>, found: &BTreeSet<String>) -> Result<(), LoadError> {
    let names: Vec<String> = found.iter().map(|name| format!("`{name}`")).collect();
    let names = if names.is_empty() { "none".into() } else { names.join(", ") };
    let reason = match chosen {
        None if found.len() > 1 => {
            format!(
                "the log holds several applications ({names}), which must not be mixed; choose one with `application`"
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
