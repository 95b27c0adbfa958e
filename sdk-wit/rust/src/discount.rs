//! What metrics of gains and ranks are made of: discounts by table, and scans that keep several comparisons in flight.

use crate::CompensatedSum;

/// Returns the discount 1 / log2(rank + 1) of a 1-based rank (Järvelin and Kekäläinen 2002): 1 at rank 1, 0.5 at rank 3.
///
/// The upper ranks come from a table: a logarithm is what costs most in a ranking metric.
#[must_use]
#[inline]
pub fn discount(rank: u32) -> f64 {
    let index = (rank as usize).wrapping_sub(1);
    DISCOUNTS.get(index).copied().unwrap_or_else(|| (f64::from(rank) + 1.0).log2().recip())
}

/// Returns the discounted gain of `gains`, whose first one has rank 1; negative gains count as 0.
#[must_use]
#[inline]
pub fn dcg(gains: &[f64]) -> f64 {
    (1..).zip(gains).map(|(rank, gain)| gain.max(0.0) * discount(rank)).collect::<CompensatedSum>().total()
}

/// Returns where `number` first stands in `numbers`. Faster than a plain search in rows of some length: eight comparisons
/// are made before any of them decides.
#[must_use]
#[inline]
pub fn position(numbers: &[u32], number: u32) -> Option<usize> {
    let mut blocks = numbers.chunks_exact(8);
    for (block, start) in blocks.by_ref().zip((0..).step_by(8)) {
        if block.iter().fold(false, |found, other| found | (*other == number)) {
            return block.iter().position(|other| *other == number).map(|at| start + at);
        }
    }
    let rest = blocks.remainder();
    rest.iter().position(|other| *other == number).map(|at| numbers.len() - rest.len() + at)
}

#[rustfmt::skip]
#[expect(clippy::approx_constant, reason = "some of them are constants of mathematics, by chance")]
static DISCOUNTS: [f64; 128] = [
    1.0, 0.6309297535714575, 0.5, 0.43067655807339306, 0.38685280723454163, 0.3562071871080222, 0.3333333333333333,
    0.31546487678572877, 0.3010299956639812, 0.2890648263178879, 0.27894294565112987, 0.27023815442731974,
    0.26264953503719357, 0.2559580248098155, 0.25, 0.24465054211822604, 0.23981246656813146, 0.23540891336663824,
    0.23137821315975915, 0.227670248696953, 0.22424382421757544, 0.22106472945750374, 0.21810429198553155,
    0.21533827903669653, 0.21274605355336318, 0.2103099178571525, 0.20801459767650948, 0.20584683246043448,
    0.2037950470905062, 0.20184908658209985, 0.2, 0.19823986317056053, 0.1965616322328226, 0.1949590218937863,
    0.19342640361727081, 0.19195872000656014, 0.1905514124267734, 0.18920035951687003, 0.18790182470910757,
    0.18665241123894338, 0.1854490234153689, 0.18428883314870617, 0.18316925091363362, 0.18208790046993825,
    0.1810425967800402, 0.18003132665669264, 0.17905223175104137, 0.1781035935540111, 0.17718382013555792,
    0.17629143438888212, 0.17542506358195453, 0.17458343004804494, 0.17376534287144002, 0.1729696904450771,
    0.17219543379409813, 0.17144160057391347, 0.17070727966372012, 0.16999161628691403, 0.16929380759878143,
    0.1686130986895011, 0.16794877895704194, 0.16730017881017412, 0.16666666666666666, 0.16604764621593782,
    0.16544255391905832, 0.16485085672216038, 0.16427204996205025, 0.16370565544521565, 0.1631512196835108,
    0.16260831227163416, 0.16207652439312228, 0.16155546744299637, 0.16104477175644444, 0.1605440854340214,
    0.16005307325482135, 0.15957141566993818, 0.15909880786929415, 0.15863495891559604, 0.15817959093978226,
    0.15773243839286438, 0.1572932473495469, 0.156861774859441, 0.15643778834207153, 0.15602106502222501,
    0.15561139140249397, 0.15520856277015513, 0.1548123827357682, 0.15442266280111014, 0.15403922195426356,
    0.15366188628986424, 0.15329048865267808, 0.15292486830283214, 0.15256487060115928, 0.15221034671324338,
    0.15186115333086322, 0.1515171524096389, 0.15117821092177644, 0.15084420062289414, 0.1505149978319906,
    0.15019048322368797, 0.14987054163194743, 0.14955506186451523, 0.14924393652741208, 0.14893706185882832,
    0.148634337571835, 0.14833566670536175, 0.14804095548293264, 0.1477501131786861, 0.14746305199023912,
    0.14717968691798522, 0.1468999356504447, 0.14662371845531105, 0.146350958075862, 0.14608157963242446,
    0.14581551052860536, 0.14555268036201674, 0.14529302083924284, 0.14503646569481302, 0.14478295061395813,
    0.14453241315894394, 0.1442847926987864, 0.1440400303421672, 0.14379806887337757, 0.14355885269113103,
    0.14332232775009315, 0.14308844150498737, 0.14285714285714285, 0.14262838210336,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discounts_are_reciprocal_logarithms_within_and_beyond_the_table() {
        for rank in 1..1000_u32 {
            let expected = f64::from(rank + 1).log2().recip();
            assert!((discount(rank) - expected).abs() <= f64::EPSILON * expected, "rank {rank}");
        }
        assert_eq!((discount(1), discount(3)), (1.0, 0.5));
    }

    #[test]
    fn dcg_by_hand_ignores_negative_gains() {
        assert_eq!(dcg(&[3.0, -1.0, 2.0]), 4.0);
        assert_eq!(dcg(&[]), 0.0);
    }

    #[test]
    fn position_finds_the_first_one_in_rows_of_any_length() {
        let numbers: Vec<u32> = (0..37).chain(0..37).collect();
        for len in 0..numbers.len() {
            for number in 0..40 {
                let expected = numbers[..len].iter().position(|other| *other == number);
                assert_eq!(position(&numbers[..len], number), expected, "{number} in {len}");
            }
        }
    }
}
