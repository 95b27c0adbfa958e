//! Pages, by number or by cursor.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::platform::error::ApiError;
use crate::platform::page::no_cursor;

/// Entries of a page where nothing is said.
pub const DEFAULT_SIZE: u32 = 20;

/// Most entries of a page.
pub const LARGEST_SIZE: u32 = 1000;

/// The last page that may be asked for: the largest 32-bit integer, as the document has it.
const LAST_PAGE: u32 = i32::MAX as u32;

/// The most entries that may be passed over: the largest 64-bit integer, as the document has it.
const LAST_OFFSET: u64 = i64::MAX as u64;

/// A page by its number.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The page, from 1.
    #[param(minimum = 1, default = 1)]
    pub page: Option<u32>,
    /// Entries of a page.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    pub page_size: Option<u32>,
}

/// The part of a list that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Entries that are passed over.
    pub offset: u64,
    /// Most entries.
    pub size: u32,
}

impl Window {
    /// Returns the page's number, from 1.
    #[must_use]
    pub fn page(self) -> u32 {
        u32::try_from(self.offset / u64::from(self.size.max(1)) + 1).unwrap_or(u32::MAX)
    }
}

impl PageQuery {
    /// Returns the part of the list.
    ///
    /// # Errors
    ///
    /// Returns 422 for a number that is out of range.
    pub fn window(self) -> Result<Window, ApiError> {
        window(self.page, self.page_size)
    }
}

fn window(page: Option<u32>, size: Option<u32>) -> Result<Window, ApiError> {
    let (page, size) = (page.unwrap_or(1), size.unwrap_or(DEFAULT_SIZE));
    if page == 0 {
        return Err(ApiError::invalid(
            &["query", "page"],
            "greater_than_equal",
            "page 0 is asked for; pages count from 1",
        ));
    }
    if page > LAST_PAGE {
        let message = format!("page {page} is asked for; expected {LAST_PAGE} at most");
        return Err(ApiError::invalid(&["query", "page"], "less_than_equal", message));
    }
    if !(1..=LARGEST_SIZE).contains(&size) {
        let message = format!("a page of {size} entries is asked for; expected 1 to {LARGEST_SIZE}");
        return Err(ApiError::invalid(&["query", "page_size"], "out_of_range", message));
    }
    Ok(Window { offset: u64::from(page - 1) * u64::from(size), size })
}

/// A part of a list, in any of the ways that clients know.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Entries of a page.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    pub limit: Option<u32>,
    /// The same by another name.
    #[param(minimum = 1, maximum = 1000)]
    pub page_size: Option<u32>,
    /// Entries that are passed over.
    #[param(minimum = 0)]
    pub offset: Option<u64>,
    /// The page, from 1.
    #[param(minimum = 1)]
    pub page: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// The same by another name.
    pub next_cursor: Option<String>,
    /// The same by another name.
    pub after: Option<String>,
    /// Whether the totals are counted.
    pub include_total: Option<bool>,
}

/// Where a list begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// After that many entries.
    Offset(u64),
    /// After the entry with that identifier.
    After(String),
}

impl ListQuery {
    /// Returns where the part begins, and its size.
    ///
    /// # Errors
    ///
    /// Returns 422 for a number that is out of range and 400 for a cursor that is none.
    pub fn part(&self) -> Result<(Begin, u32), ApiError> {
        let Window { offset, size } = window(self.page, self.limit.or(self.page_size))?;
        if let Some(offset) = self.offset.filter(|offset| *offset > LAST_OFFSET) {
            let message = format!("{offset} entries are to be passed over; expected {LAST_OFFSET} at most");
            return Err(ApiError::invalid(&["query", "offset"], "less_than_equal", message));
        }
        let cursor = [&self.cursor, &self.next_cursor, &self.after].into_iter().flatten().find(|text| !text.is_empty());
        let begin = match cursor.map(|cursor| cursor.split_once(':')) {
            None => Begin::Offset(self.offset.unwrap_or(offset)),
            Some(Some(("after", id))) => Begin::After(id.to_owned()),
            Some(Some(("offset", number))) => Begin::Offset(number.parse().map_err(|_| no_cursor())?),
            Some(_) => return Err(no_cursor()),
        };
        Ok((begin, size))
    }
}

/// Where a page stands in its list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RetrieverApiPagination)]
pub struct PaginationResponse {
    /// Entries of the list, where `include_total` asks for it.
    pub total: Option<u64>,
    /// The page, from 1; `null` where a cursor led to it.
    pub page: Option<u64>,
    /// Most entries of a page.
    pub page_size: Option<u32>,
    /// Pages of the list, where `include_total` asks for it.
    pub total_pages: Option<u64>,
    /// The query of the next page; `null` on the last one.
    pub next_page: Option<String>,
    /// The query of the page before; `null` on the first one.
    pub previous_page: Option<String>,
    /// Where the next page begins; `null` on the last one.
    pub next_cursor: Option<String>,
}

impl PaginationResponse {
    /// Returns it for a page that begins there; `next` is where the next one does, where there is one.
    #[must_use]
    pub fn new(begin: &Begin, size: u32, next: Option<Begin>, total: Option<u64>) -> Self {
        let wide = u64::from(size.max(1));
        let page = match begin {
            Begin::Offset(offset) => Some(offset / wide + 1),
            Begin::After(_) => None,
        };
        let query = |page: u64| format!("?page={page}&page_size={size}");
        Self {
            total,
            page,
            page_size: Some(size),
            total_pages: total.map(|total| total.div_ceil(wide)),
            next_page: page.filter(|_| next.is_some()).map(|page| query(page + 1)),
            previous_page: page.filter(|page| *page > 1).map(|page| query(page - 1)),
            next_cursor: next.map(|next| match next {
                Begin::Offset(offset) => format!("offset:{offset}"),
                Begin::After(id) => format!("after:{id}"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_count_from_1_and_have_at_most_1000_entries() {
        assert_eq!(window(Some(3), Some(10)).unwrap(), Window { offset: 20, size: 10 });
        assert_eq!(window(Some(3), Some(10)).unwrap().page(), 3);
        assert_eq!(window(Some(0), None).unwrap_err().status.as_u16(), 422);
        assert_eq!(window(None, Some(1001)).unwrap_err().status.as_u16(), 422);
        assert_eq!(window(Some(LAST_PAGE), Some(1000)).unwrap().page(), LAST_PAGE);
        assert_eq!(window(Some(LAST_PAGE + 1), None).unwrap_err().status.as_u16(), 422);
    }

    #[test]
    fn a_cursor_leads_on_and_any_other_text_is_refused() {
        let part = |cursor: &str| ListQuery { after: Some(cursor.to_owned()), ..ListQuery::default() }.part();
        let page = PaginationResponse::new(&Begin::Offset(0), 20, Some(Begin::After("int_1".to_owned())), None);
        assert_eq!(part(&page.next_cursor.unwrap()).unwrap(), (Begin::After("int_1".to_owned()), 20));
        assert_eq!(part("offset:40").unwrap().0, Begin::Offset(40));
        assert_eq!(part("offset:x").unwrap_err().status.as_u16(), 400);
        assert_eq!(part("x").unwrap_err().status.as_u16(), 400);
        let far = ListQuery { offset: Some(LAST_OFFSET + 1), ..ListQuery::default() };
        assert_eq!(far.part().unwrap_err().status.as_u16(), 422);
    }

    #[test]
    fn totals_make_pages() {
        let page = PaginationResponse::new(&Begin::Offset(20), 10, None, Some(23));
        assert_eq!((page.page, page.total_pages, page.next_page), (Some(3), Some(3), None));
        assert_eq!(page.previous_page.as_deref(), Some("?page=2&page_size=10"));
    }
}
