//! From which number does a log count positions? What the served lists show, per application and per session.

use super::events::Ordinal;

/// The number that a log counts positions from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Zero,
    One,
}

impl Base {
    /// Returns the 1-based position, or `None` for an ordinal that the base does not have.
    pub(super) fn position(self, ordinal: u32) -> Option<u32> {
        match self {
            Self::Zero => ordinal.checked_add(1),
            Self::One => (ordinal > 0).then_some(ordinal),
        }
    }
}

/// How a logged position relates to the served list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The list has the item at this 1-based position, and the ordinal says so in one of the bases.
    Served { position: u32, base: Base },
    /// The list has the item elsewhere.
    Contradiction,
    /// The list does not have the item, or there is no list.
    Unserved,
}

/// Returns how the ordinal of an item relates to the served list.
pub(super) fn fit(served: &[String], item_id: &str, ordinal: u32) -> Fit {
    let Some(index) = served.iter().position(|served_id| served_id == item_id) else { return Fit::Unserved };
    let Ok(index) = u32::try_from(index) else { return Fit::Contradiction };
    let position = index.saturating_add(1);
    if ordinal == position {
        Fit::Served { position, base: Base::One }
    } else if ordinal == index {
        Fit::Served { position, base: Base::Zero }
    } else {
        Fit::Contradiction
    }
}

/// What speaks for either base.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    zero_based: u64,
    one_based: u64,
    ordinals_zero: u64,
}

impl Evidence {
    /// Takes one logged position into account.
    pub(super) fn note(&mut self, served: &[String], item_id: &str, ordinal: Ordinal) {
        let Ordinal::At(ordinal) = ordinal else { return };
        self.ordinals_zero += u64::from(ordinal == 0);
        match fit(served, item_id, ordinal) {
            Fit::Served { base: Base::Zero, .. } => self.zero_based += 1,
            Fit::Served { base: Base::One, .. } => self.one_based += 1,
            Fit::Contradiction | Fit::Unserved => {}
        }
    }

    /// Adds what another part of the log shows.
    pub(super) fn add(&mut self, other: Self) {
        self.zero_based += other.zero_based;
        self.one_based += other.one_based;
        self.ordinals_zero += other.ordinals_zero;
    }

    /// Returns whether both bases occur.
    pub(super) fn is_mixed(self) -> bool {
        self.one_based > 0 && (self.zero_based > 0 || self.ordinals_zero > 0)
    }

    /// Returns the base that the evidence speaks for, or `None` where there is none or it is even.
    ///
    /// The served lists speak first; an ordinal of 0 decides only where they say nothing.
    pub(super) fn base(self) -> Option<Base> {
        match self.zero_based.cmp(&self.one_based) {
            std::cmp::Ordering::Greater => Some(Base::Zero),
            std::cmp::Ordering::Less => Some(Base::One),
            std::cmp::Ordering::Equal => (self.ordinals_zero > 0).then_some(Base::Zero),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served() -> Vec<String> {
        ["a", "b", "c"].map(str::to_owned).to_vec()
    }

    fn evidence(events: &[(&str, u32)]) -> Evidence {
        let mut evidence = Evidence::default();
        for (item, ordinal) in events {
            evidence.note(&served(), item, Ordinal::At(*ordinal));
        }
        evidence
    }

    #[test]
    fn the_served_list_tells_the_base() {
        assert_eq!(fit(&served(), "b", 2), Fit::Served { position: 2, base: Base::One });
        assert_eq!(fit(&served(), "b", 1), Fit::Served { position: 2, base: Base::Zero });
        assert_eq!(fit(&served(), "b", 0), Fit::Contradiction);
        assert_eq!(fit(&served(), "z", 1), Fit::Unserved);
        assert_eq!(evidence(&[("a", 1), ("b", 2)]).base(), Some(Base::One));
        assert_eq!(evidence(&[("a", 0), ("b", 1)]).base(), Some(Base::Zero));
    }

    #[test]
    fn a_zero_decides_only_where_no_list_does() {
        assert_eq!(evidence(&[("z", 0), ("z", 4)]).base(), Some(Base::Zero));
        assert_eq!(evidence(&[("z", 1), ("z", 4)]).base(), None);
        let mixed = evidence(&[("a", 1), ("z", 0)]);
        assert_eq!((mixed.base(), mixed.is_mixed()), (Some(Base::One), true));
    }

    #[test]
    fn positions_are_one_based_in_either_base() {
        assert_eq!((Base::Zero.position(0), Base::Zero.position(u32::MAX)), (Some(1), None));
        assert_eq!((Base::One.position(0), Base::One.position(1)), (None, Some(1)));
    }
}
