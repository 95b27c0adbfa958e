//! Random numbers that are a function of where they are used, not of when.
//!
//! A generator that is asked in turn gives other numbers on another number of threads or in another order of rows. These
//! are hashes of (seed, counter, counter), so that every resample and every unit has its own, always the same.

/// The odd constant nearest to 2^64 over the golden ratio, which SplitMix64 steps by.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Returns 64 bits that are a function of the three numbers, by three rounds of SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) fn bits(seed: u64, first: u64, second: u64) -> u64 {
    mixed(mixed(mixed(seed).wrapping_add(first)).wrapping_add(second))
}

/// Returns a number below `limit`, from 64 random bits; its bias is below `limit` / 2^64.
pub(crate) fn below(limit: usize, bits: u64) -> usize {
    let scaled = (u128::from(bits) * limit as u128) >> 64;
    usize::try_from(scaled).unwrap_or_default()
}

fn mixed(state: u64) -> u64 {
    let mut z = state.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixing_is_splitmix64() {
        // The first outputs of the reference implementation for the seed 1234567.
        let mut state = 1_234_567_u64;
        for expected in [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423] {
            assert_eq!(mixed(state), expected);
            state = state.wrapping_add(GOLDEN);
        }
    }

    #[test]
    fn every_bit_is_fair_and_neighbours_differ() {
        let mut ones = [0_u32; 64];
        let mut agreeing = 0;
        for counter in 0..4096 {
            let word = bits(42, 7, counter);
            for (bit, ones) in ones.iter_mut().enumerate() {
                *ones += u32::from((word >> bit) & 1 == 1);
            }
            agreeing += (word ^ bits(42, 8, counter)).count_zeros();
        }
        // Six standard deviations of a binomial: 6 * 32 of 4096, and 6 * 256 of 262144.
        assert!(ones.iter().all(|&ones| ones.abs_diff(2048) < 192), "{ones:?}");
        assert!(agreeing.abs_diff(131_072) < 1536, "{agreeing}");
    }

    #[test]
    fn numbers_below_a_limit_are_uniform() {
        let mut hits = [0_u32; 7];
        for counter in 0..7000 {
            hits[below(7, bits(1, 2, counter))] += 1;
        }
        assert!(hits.iter().all(|&hits| hits.abs_diff(1000) < 180), "{hits:?}");
        assert_eq!(below(1, u64::MAX), 0);
    }
}
