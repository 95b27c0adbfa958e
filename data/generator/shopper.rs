//! What shoppers do with a page of results, and what judges say of products.
//!
//! Clicks follow the position-based model: an item is clicked when it is examined, which depends on its position
//! only, and attracts, which depends on its grade only (Craswell et al. 2008, "An experimental comparison of click
//! position-bias models").

use rematch_engine::session::{Interaction, Judgment};

use super::draws::Draws;
use super::intent::Intent;
use super::products::Product;

/// By grade: the probability of a click on an examined item, and of a basket after the click.
const ATTRACTION: [(f64, f64); 4] = [(0.04, 0.03), (0.18, 0.1), (0.42, 0.25), (0.72, 0.45)];
const PURCHASE_OF_BASKET: f64 = 0.45;

/// Judged items that meet the wish to some degree, at most.
const JUDGED_RELEVANT: usize = 11;
/// Judged items that do not meet it.
const JUDGED_OTHER: usize = 4;

/// Returns what a shopper did with the page, from `start` (milliseconds) on, in order of time.
pub(super) fn interactions(intent: &Intent, page: &[&Product], start: i64, draws: &mut Draws) -> Vec<Interaction> {
    let mut acts = Vec::new();
    let mut clock = start;
    for (position, product) in (1_u32..).zip(page) {
        let examination = 1.0 / (1.0 + 0.3 * f64::from(position - 1));
        let (click, basket) = ATTRACTION[usize::from(intent.grade(product))];
        if !draws.chance(examination * click) {
            continue;
        }
        let carted = draws.chance(basket);
        let bought = carted && draws.chance(PURCHASE_OF_BASKET);
        for (kind, done, value) in
            [("click", true, None), ("add_to_cart", carted, None), ("purchase", bought, Some(product.price))]
        {
            if done {
                clock += 2_000 + draws.below(40_000) as i64;
                acts.push(Interaction {
                    item_id: product.item_id.clone(),
                    kind: kind.to_owned(),
                    position: Some(position),
                    timestamp: Some(clock),
                    value,
                });
            }
        }
        if bought {
            break;
        }
    }
    acts
}

/// Returns the grades of the best products for the wish, and of some that were shown or stand nearby and do not meet it.
pub(super) fn judgments(intent: &Intent, page: &[&Product], products: &[Product], draws: &mut Draws) -> Vec<Judgment> {
    let mut shuffled: Vec<&Product> = products.iter().collect();
    draws.shuffle(&mut shuffled);
    let mut relevant: Vec<&Product> = shuffled.iter().copied().filter(|product| intent.grade(product) > 0).collect();
    relevant.sort_by_key(|product| std::cmp::Reverse(intent.grade(product)));
    relevant.truncate(JUDGED_RELEVANT);

    let shown = page.iter().copied().filter(|product| intent.grade(product) == 0);
    let mut other: Vec<&Product> = shown.take(JUDGED_OTHER).collect();
    for product in shuffled {
        if other.len() == JUDGED_OTHER {
            break;
        }
        if intent.grade(product) == 0 && !other.iter().any(|known| known.item_id == product.item_id) {
            other.push(product);
        }
    }
    let mut judged: Vec<Judgment> = relevant
        .into_iter()
        .chain(other)
        .map(|product| Judgment { item_id: product.item_id.clone(), grade: f32::from(intent.grade(product)) })
        .collect();
    judged.sort_by(|one, other| one.item_id.cmp(&other.item_id));
    judged
}
