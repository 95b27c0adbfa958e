//! What a shopper wants, how that is put in words, and how well a product meets it.

use super::assortment::{Assortment, ProductType};
use super::draws::Draws;
use super::products::Product;
use super::write::GenerateError;

/// The wish behind a search. It is latent: the words may leave parts of it out.
#[derive(Clone)]
pub(super) struct Intent {
    pub(super) slug: String,
    similar: Option<String>,
    colour: Option<String>,
    brand: Option<String>,
    attribute: Option<String>,
}

impl Intent {
    /// Returns a wish that at least one product meets in full: one or two of its properties are wanted.
    pub(super) fn towards(target: &Product, product_type: &ProductType, draws: &mut Draws) -> Self {
        let mut wanted = [true, draws.chance(0.55), false];
        draws.shuffle(&mut wanted);
        let [colour, attribute, brand] = wanted;
        Self {
            slug: product_type.slug.clone(),
            similar: product_type.similar.clone(),
            colour: colour.then(|| target.nature.colour.clone()),
            brand: brand.then(|| target.brand.clone()),
            attribute: attribute.then(|| target.nature.attribute.clone()),
        }
    }

    /// Returns how well the product meets the wish: 3 = in full, 2 = in part, 1 = the right type or nearly, 0 = not.
    pub(super) fn grade(&self, product: &Product) -> u8 {
        let wishes = [
            self.colour.as_ref().map(|colour| *colour == product.nature.colour),
            self.brand.as_ref().map(|brand| *brand == product.brand),
            self.attribute.as_ref().map(|attribute| *attribute == product.nature.attribute),
        ];
        let all = wishes.iter().flatten().all(|met| *met);
        let some = wishes.iter().flatten().any(|met| *met);
        let slug = product.nature.slug.as_ref();
        if slug == Some(&self.slug) {
            return if all { 3 } else { 1 + u8::from(some) };
        }
        u8::from(slug.is_some() && slug == self.similar.as_ref() && some)
    }

    /// Returns one wording of the wish, of one to four words.
    ///
    /// # Errors
    ///
    /// Returns an error when the wish is for a type that does not exist.
    pub(super) fn wording(&self, assortment: &Assortment, draws: &mut Draws) -> Result<String, GenerateError> {
        let (_, product_type) = assortment.named(&self.slug)?;
        let noun = match draws.below(100) {
            0..62 => &product_type.name,
            62..76 => &product_type.plural,
            76..92 => &product_type.synonym,
            _ => &product_type.misspelt,
        };
        let mut words: Vec<&str> = Vec::new();
        for (property, typed) in [(&self.brand, 0.9), (&self.colour, 0.75), (&self.attribute, 0.85)] {
            if let Some(property) = property
                && draws.chance(typed)
            {
                words.push(property);
            }
        }
        words.push(noun);
        if draws.chance(0.1) {
            words.reverse();
        }
        let query = words.join(" ");
        Ok(if draws.chance(0.06) { query.to_uppercase() } else { query.to_lowercase() })
    }
}
