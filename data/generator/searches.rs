//! A month of searches: who came when, with which wish, in which words, and what became of it.

use rematch_engine::session::{Judgment, Session, ShownItem};

use super::assortment::Assortment;
use super::draws::{Draws, Purpose};
use super::intent::Intent;
use super::products::Product;
use super::retriever::{LEGACY, PRODUCTION, Retriever};
use super::shopper;
use super::write::GenerateError;

const SESSIONS: usize = 400;
const USERS: usize = 140;
const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;
/// 2026-01-01T00:00:00Z.
const JANUARY: i64 = 1_767_225_600 * SECOND;
/// Until this day of January, half of the visits were still served by `legacy`.
const LEGACY_DAYS: i64 = 6;

/// Searches that no product answers: their judged items are all of grade 0, so that they have no nDCG.
const NOT_FOR_SALE: [&str; 4] = ["track my order", "gift card balance", "opening hours", "return label"];

struct Visit {
    start: i64,
    user: Option<usize>,
    legacy: bool,
    searches: Vec<Search>,
}

struct Search {
    /// `None` when the shopper wants something that is not for sale.
    intent: Option<Intent>,
    query: String,
    taxonomy: Vec<String>,
}

/// Returns the sessions, ordered by visit and time, which is also the order of their ids.
///
/// # Errors
///
/// Returns an error when the assortment names a type that does not exist.
pub(super) fn sessions(assortment: &Assortment, products: &[Product]) -> Result<Vec<Session>, GenerateError> {
    let mut replies = Replies {
        products,
        production: Retriever::over(products, PRODUCTION),
        legacy: Retriever::over(products, LEGACY),
        rankings: Draws::of(Purpose::Rankings),
        shoppers: Draws::of(Purpose::Shoppers),
        judgments: Draws::of(Purpose::Judgments),
    };
    let mut sessions = Vec::with_capacity(SESSIONS);
    for (number, visit) in (1..).zip(visits(assortment, products)?) {
        let mut time = visit.start;
        for search in &visit.searches {
            let session_id = format!("s{:04}", sessions.len() + 1);
            sessions.push(Session {
                session_id,
                visit_id: Some(format!("v{number:04}")),
                user_id: visit.user.map(|user| format!("u{:03}", user + 1)),
                timestamp: Some(time),
                ..replies.to(search, visit.legacy, time)
            });
            time += (60 + replies.shoppers.below(400) as i64) * SECOND;
        }
    }
    Ok(sessions)
}

/// Returns the visits by time; together they hold [`SESSIONS`] searches.
fn visits(assortment: &Assortment, products: &[Product]) -> Result<Vec<Visit>, GenerateError> {
    let mut draws = Draws::of(Purpose::Searches);
    let mut visits = Vec::new();
    let mut planned = 0;
    while planned < SESSIONS {
        let length = [1, 1, 1, 2, 2, 3][draws.below(6)].min(SESSIONS - planned);
        // The last hour of the month is left free, so that every act falls into January.
        let start = JANUARY + draws.below((31 * DAY - 3_600 * SECOND) as usize) as i64;
        let user = draws.below(USERS);
        let guest = draws.chance(0.08);
        let mut searches: Vec<Search> = Vec::with_capacity(length);
        for _ in 0..length {
            let again = searches.last().and_then(|search| search.intent.clone()).filter(|_| draws.chance(0.6));
            searches.push(match again {
                Some(intent) => search(assortment, intent, &mut draws)?,
                None => new_search(assortment, products, &mut draws)?,
            });
        }
        planned += length;
        let legacy = start < JANUARY + LEGACY_DAYS * DAY && draws.chance(0.5);
        visits.push(Visit { start, user: (!guest).then_some(user), legacy, searches });
    }
    visits.sort_by_key(|visit| visit.start);
    add_searches_for_what_is_not_for_sale(&mut visits);
    Ok(visits)
}

/// Replaces some searches, evenly spread over the month.
fn add_searches_for_what_is_not_for_sale(visits: &mut [Visit]) {
    let step = visits.len() / NOT_FOR_SALE.len();
    for (visit, query) in visits.iter_mut().skip(step / 2).step_by(step.max(1)).zip(NOT_FOR_SALE) {
        if let Some(search) = visit.searches.first_mut() {
            *search = Search { intent: None, query: query.to_owned(), taxonomy: Vec::new() };
        }
    }
}

fn new_search(assortment: &Assortment, products: &[Product], draws: &mut Draws) -> Result<Search, GenerateError> {
    let total: u32 = assortment.departments.iter().map(|department| department.sessions).sum();
    let mut ticket = draws.below(total as usize) as u32;
    let department = assortment.departments.iter().find(|department| {
        let drawn = ticket < department.sessions;
        ticket = ticket.saturating_sub(department.sessions);
        drawn
    });
    let product_type = draws.pick(&department.unwrap_or(&assortment.departments[0]).types);
    let targets: Vec<&Product> =
        products.iter().filter(|product| product.nature.slug.as_ref() == Some(&product_type.slug)).collect();
    let intent = Intent::towards(draws.pick::<&Product>(&targets), product_type, draws);
    search(assortment, intent, draws)
}

fn search(assortment: &Assortment, intent: Intent, draws: &mut Draws) -> Result<Search, GenerateError> {
    let query = intent.wording(assortment, draws)?;
    let (department, product_type) = assortment.named(&intent.slug)?;
    let also = product_type.also.clone().filter(|_| draws.chance(0.4));
    let taxonomy = std::iter::once(department.node.clone()).chain(also).collect();
    Ok(Search { intent: Some(intent), query, taxonomy })
}

/// The shop's replies to searches, and what follows from them.
struct Replies<'a> {
    products: &'a [Product],
    production: Retriever,
    legacy: Retriever,
    rankings: Draws,
    shoppers: Draws,
    judgments: Draws,
}

impl Replies<'_> {
    /// Returns the session of a search without its identity.
    fn to(&mut self, search: &Search, legacy: bool, time: i64) -> Session {
        let (retriever, retriever_id) = if legacy { (&self.legacy, "legacy") } else { (&self.production, "prod") };
        let shown = retriever.page(&search.query, &mut self.rankings);
        let page: Vec<&Product> = shown.iter().map(|(position, _)| &self.products[*position]).collect();
        let (interactions, judgments) = match &search.intent {
            Some(intent) => (
                shopper::interactions(intent, &page, time, &mut self.shoppers),
                shopper::judgments(intent, &page, self.products, &mut self.judgments),
            ),
            None => (Vec::new(), page.iter().map(|product| not_relevant(product)).collect()),
        };
        let item = |(position, score): &(usize, f64)| ShownItem {
            item_id: self.products[*position].item_id.clone(),
            score: Some(*score),
            propensity: None,
        };
        Session {
            retriever_id: Some(retriever_id.to_owned()),
            query: Some(search.query.clone()),
            taxonomy: search.taxonomy.clone(),
            shown: shown.iter().map(item).collect(),
            interactions,
            judgments,
            ..Session::default()
        }
    }
}

fn not_relevant(product: &Product) -> Judgment {
    Judgment { item_id: product.item_id.clone(), grade: 0.0 }
}
