//! Sessions by the thousand, for timing.

use crate::session::{Hit, Interaction, Judgment, Session, ShownItem};

/// Items of the catalogue that the generated sessions are about.
const ITEMS: u64 = 50_000;

/// Hits of a session that its user was shown.
const SHOWN: usize = 10;

/// Returns session `index` with its hits.
pub(super) fn session(index: usize, hits: usize, relevant: usize) -> (Session, Vec<Hit>) {
    let mut random = Random(index as u64);
    // Steps through the catalogue from a place of the session's own, so that no item comes twice.
    let first = random.below(ITEMS);
    let item = |place: u64| format!("item-{:07}", (first + place * 7) % ITEMS);
    let ranked: Vec<String> = (0..hits as u64).map(item).collect();
    let hit =
        |(rank, item_id): (usize, &String)| Hit { item_id: item_id.clone(), score: Some(1.0 / (1.0 + rank as f64)) };
    let mut session = Session {
        session_id: format!("session-{index:07}"),
        user_id: Some(format!("user-{}", random.below(5_000))),
        timestamp: Some(1_767_614_400_000 + index as i64 * 1000),
        query: Some(format!("query {} for shoes", random.below(1_000))),
        taxonomy: vec![format!("node-{}", random.below(20))],
        ..Session::default()
    };
    let mut places = std::collections::BTreeSet::new();
    // Every fourth relevant item is one that the retriever did not find.
    let reach = (hits + hits / 3).max(relevant) as u64;
    while places.len() < relevant {
        places.insert(random.below(reach));
    }
    for place in places {
        let grade = [1.0_f32, 2.0, 3.0][random.below(3) as usize % 3];
        session.judgments.push(Judgment { item_id: item(place), grade });
    }
    for (position, item_id) in (1..).zip(ranked.iter().take(SHOWN)) {
        session.shown.push(ShownItem { item_id: item_id.clone(), score: None, propensity: None });
        if random.below(4) == 0 {
            let (kind, value) = if random.below(5) == 0 { ("purchase", Some(19.9)) } else { ("click", None) };
            let (item_id, kind) = (item_id.clone(), kind.to_owned());
            session.interactions.push(Interaction { item_id, kind, position: Some(position), value, timestamp: None });
        }
    }
    (session, ranked.iter().enumerate().map(hit).collect())
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers everywhere, for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Returns a number below `bound`; its bias is of no matter here.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
