//! Where lists begin and end, from the runs of their levels.

use datafusion::arrow::buffer::NullBuffer;

use super::Unknown;
use super::hybrid::Hybrid;

/// What the definition levels of a column mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Definition {
    /// The level of an element that is there: the highest.
    pub(super) element: u32,
    /// The lowest level of a list that is not empty. What is below `element` is a null element.
    pub(super) filled: u32,
}

/// Lists of elements that stand one after the other.
#[derive(Default)]
pub(super) struct Lists {
    /// Where each list begins.
    pub(super) starts: Vec<i32>,
    /// Which lists are null, ascending.
    nulls: Vec<usize>,
}

impl Lists {
    pub(super) fn nulls(&self) -> Option<NullBuffer> {
        let mut nulls = self.nulls.iter().copied().peekable();
        nulls.peek()?;
        Some((0..self.starts.len()).map(|list| nulls.next_if_eq(&list).is_none()).collect())
    }

    pub(super) fn clear(&mut self) {
        self.starts.clear();
        self.nulls.clear();
    }

    /// Adds lists that begin at the levels `begins`, ascending, of the next `levels` ones, and returns how many elements there are.
    /// Before them are `elements`.
    ///
    /// # Errors
    ///
    /// Returns an error where an element is null, or a level is not what it must be.
    pub(super) fn add(
        &mut self,
        levels: usize,
        begins: &[usize],
        elements: usize,
        definitions: &mut Hybrid,
        meaning: Definition,
    ) -> Result<usize, Unknown> {
        if elements.checked_add(levels).is_none_or(|elements| i32::try_from(elements).is_err()) {
            return Err(Unknown);
        }
        let mut begins = begins;
        let (mut passed, mut empty) = (0, 0);
        while passed < levels {
            let (level, count) = definitions.equal(levels - passed)?;
            definitions.pass(count);
            if level < meaning.filled {
                let (before, rest) = begins.split_at(begins.partition_point(|begin| *begin < passed));
                self.begin(before, elements, empty);
                // Each is a list of its own.
                let (these, rest) = rest.split_at_checked(count).ok_or(Unknown)?;
                if these.last().is_none_or(|last| *last != passed + count - 1) {
                    return Err(Unknown);
                }
                if level + 1 < meaning.filled {
                    self.nulls.extend(self.starts.len()..self.starts.len() + count);
                }
                self.starts.extend(std::iter::repeat_n((elements + passed - empty) as i32, count));
                begins = rest;
                empty += count;
            } else if level != meaning.element {
                return Err(Unknown);
            }
            passed += count;
        }
        self.begin(begins, elements, empty);
        Ok(levels - empty)
    }

    /// Adds lists that begin at levels, so many of which, before them, are of empty lists.
    fn begin(&mut self, begins: &[usize], elements: usize, empty: usize) {
        self.starts.extend(begins.iter().map(|begin| (elements + begin - empty) as i32));
    }
}

/// Passes at most `levels` repetition levels, up to where the list after the next `lists` ones begins, adds the places at which
/// lists begin and returns how many levels were passed.
///
/// # Errors
///
/// Returns an error where levels are missing, or are none of lists.
pub(super) fn begins(
    repetitions: &mut Hybrid,
    levels: usize,
    lists: usize,
    begins: &mut Vec<usize>,
) -> Result<usize, Unknown> {
    let (mut passed, mut lists) = (0, lists);
    while passed < levels {
        let (level, count) = repetitions.equal(levels - passed)?;
        let count = match level {
            0 => {
                let begun = count.min(lists);
                begins.extend(passed..passed + begun);
                lists -= begun;
                begun
            }
            1 => count,
            _ => return Err(Unknown),
        };
        if count == 0 {
            break;
        }
        repetitions.pass(count);
        passed += count;
    }
    Ok(passed)
}
