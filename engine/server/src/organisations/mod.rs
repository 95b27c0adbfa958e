//! Organisations own everything; tokens say which organisation asks and what it may do.

pub(crate) mod key_file;
mod rates;
mod recent;
mod routes;
mod shares;
mod text;
mod tokens;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use rates::RateLimits;
pub use routes::routes;
pub use shares::Shares;
pub use text::TokenText;
pub use tokens::{IssuedToken, TokenRecord, Tokens};

/// What a token allows; each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Runtime,
    /// Reads and writes.
    Ci,
    /// Administers the organisation too.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Runtime, Self::Ci, Self::Admin];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Ci => "ci",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let role = Self::ALL.into_iter().find(|role| role.name().eq_ignore_ascii_case(text));
        role.ok_or_else(|| format!("`{text}` is no role; expected `runtime`, `ci` or `admin`"))
    }
}

/// Who asks: the holder of a valid token.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The organisation.
    pub organisation: String,
    /// The token's identifier, which may be shown.
    pub token: String,
    /// What the token allows.
    pub role: Role,
}
