//! Seeded draws. Only the raw words of ChaCha are used, because they alone are the same in every version.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const SEED: [u8; 32] = *b"rematch sample shop, January '26";

/// What a sequence of draws is for. Each purpose has its own stream, so that a change in one leaves the others alone.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Products = 1,
    Searches = 2,
    Rankings = 3,
    Shoppers = 4,
    Judgments = 5,
}

/// A reproducible sequence of draws.
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    /// Returns the sequence of that purpose, from its start.
    pub(super) fn of(purpose: Purpose) -> Self {
        let mut random = ChaCha8Rng::from_seed(SEED);
        random.set_stream(purpose as u64);
        Self(random)
    }

    /// Returns a number of [0, 1), uniformly.
    pub(super) fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.0.next_u64() >> 11) as f64 * STEP
    }

    /// Returns a number of [low, high), uniformly.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Returns an integer of [0, end); 0 when `end` is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        // The bias of the multiplication is below 2^-50 for the small ends of this program.
        ((u128::from(self.0.next_u64()) * end as u128) >> 64) as usize
    }

    /// Returns true with that probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Returns one of the choices.
    ///
    /// # Panics
    ///
    /// Panics when there is none.
    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Brings the items into a random order.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
