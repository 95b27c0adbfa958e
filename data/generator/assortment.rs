//! The vocabulary of the shop, as it stands in `assortment.toml`.

use serde::Deserialize;

use super::write::GenerateError;

/// Everything that the shop sells.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Assortment {
    #[serde(rename = "department")]
    pub(super) departments: Vec<Department>,
}

/// A taxonomy node with its brands and types.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Department {
    pub(super) node: String,
    /// Share of the searches, as a weight.
    pub(super) sessions: u32,
    pub(super) titles: Titles,
    pub(super) brands: Vec<String>,
    pub(super) colours: Vec<String>,
    /// Model names; used where titles are model names.
    #[serde(default)]
    pub(super) models: Vec<String>,
    #[serde(rename = "type")]
    pub(super) types: Vec<ProductType>,
}

/// What a title of the department says.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Titles {
    /// What the product is.
    Descriptive,
    /// The name of the model; what the product is stands in the description only.
    Model,
}

/// A type of product and the words around it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductType {
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) plural: String,
    pub(super) synonym: String,
    pub(super) misspelt: String,
    pub(super) attributes: Vec<String>,
    pub(super) sizes: Vec<String>,
    pub(super) price: [f64; 2],
    pub(super) features: Vec<String>,
    /// Whom the type makes happy.
    pub(super) lover: String,
    pub(super) goes_with: Vec<String>,
    /// A second taxonomy node under which its searches may be filed.
    pub(super) also: Option<String>,
    /// A type that serves a shopper a little.
    pub(super) similar: Option<String>,
    /// Title of an accessory, which is not what a shopper for the type wants.
    pub(super) accessory: Option<String>,
}

impl Assortment {
    /// Returns the assortment of the shop.
    ///
    /// # Errors
    ///
    /// Returns an error when the vocabulary is not valid, or a type names another that does not exist.
    pub(super) fn read() -> Result<Self, GenerateError> {
        let assortment: Self = toml::from_str(include_str!("assortment.toml"))?;
        for (_, product_type) in assortment.types() {
            for slug in product_type.goes_with.iter().chain(&product_type.similar) {
                assortment.named(slug)?;
            }
        }
        Ok(assortment)
    }

    /// Returns all types, each with its department.
    pub(super) fn types(&self) -> impl Iterator<Item = (&Department, &ProductType)> {
        self.departments
            .iter()
            .flat_map(|department| department.types.iter().map(move |product_type| (department, product_type)))
    }

    /// Returns the type of that slug with its department.
    ///
    /// # Errors
    ///
    /// Returns an error when there is none.
    pub(super) fn named(&self, slug: &str) -> Result<(&Department, &ProductType), GenerateError> {
        self.types()
            .find(|(_, product_type)| product_type.slug == slug)
            .ok_or_else(|| GenerateError::UnknownType { slug: slug.to_owned() })
    }
}
