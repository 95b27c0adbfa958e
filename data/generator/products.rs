//! The products, and the texts that a retriever reads.
//!
//! A title says what the product is (but not in the department whose titles are model names). A description says little
//! of that, and much about other products: what goes with it, whom it makes happy, which colours it also comes in.
//! Since when it is on sale follows from its id, so that it takes nothing from the sequence of draws.

use std::collections::BTreeSet;

use serde::Serialize;

use super::assortment::{Assortment, Department, ProductType, Titles};
use super::draws::{Draws, Purpose};
use super::write::GenerateError;

const PRODUCTS_PER_TYPE: usize = 13;

/// Probability that a title calls the product by its second name.
const TITLES_WITH_SYNONYM: f64 = 0.2;
/// Probability that a descriptive title leaves out the attribute.
const TITLES_WITHOUT_ATTRIBUTE: f64 = 0.2;
/// Probability that a description says what the product is although the title has said it.
const DESCRIPTIVE_TEXTS: f64 = 0.6;
/// Probability of a sentence about a second other product.
const SECOND_MENTION: f64 = 0.45;
/// Probability of a sentence about colours that this product has not.
const OTHER_COLOURS: f64 = 0.3;
/// Probability of a sentence about an attribute that this product has not.
const OTHER_ATTRIBUTE: f64 = 0.25;
/// Probability of a sentence about the guarantee, which names the brand and the type.
const GUARANTEE: f64 = 0.3;

/// A product as it is written, one line of JSON each.
#[derive(Serialize)]
pub(super) struct Product {
    pub(super) item_id: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) brand: String,
    pub(super) category: String,
    pub(super) taxonomy: String,
    pub(super) price: f64,
    pub(super) rating: f64,
    pub(super) listed: String,
    /// What the product truly is; shoppers and judges see it, retrievers do not.
    #[serde(skip)]
    pub(super) nature: Nature,
}

/// What a product truly is.
pub(super) struct Nature {
    /// Slug of the type; `None` for an accessory.
    pub(super) slug: Option<String>,
    pub(super) attribute: String,
    pub(super) colour: String,
}

/// Returns all products, in the order of their ids, which tells nothing about their types.
///
/// # Errors
///
/// Returns an error when the assortment names a type that does not exist.
pub(super) fn products(assortment: &Assortment) -> Result<Vec<Product>, GenerateError> {
    let mut draws = Draws::of(Purpose::Products);
    let mut products = Vec::new();
    let mut titles = BTreeSet::new();
    for (department, product_type) in assortment.types() {
        let mut made = 0;
        while made < PRODUCTS_PER_TYPE {
            let product = product(assortment, department, product_type, made, &mut draws)?;
            if titles.insert(product.title.clone()) {
                products.push(product);
                made += 1;
            }
        }
        products.extend(accessory(department, product_type, &mut draws));
    }
    draws.shuffle(&mut products);
    for (number, product) in products.iter_mut().enumerate() {
        product.item_id = format!("p{:04}", number + 1);
        product.listed = listed(&product.item_id);
    }
    Ok(products)
}

fn product(
    assortment: &Assortment,
    department: &Department,
    product_type: &ProductType,
    number: usize,
    draws: &mut Draws,
) -> Result<Product, GenerateError> {
    let attribute = product_type.attributes[number % product_type.attributes.len()].clone();
    let brand = draws.pick(&department.brands).clone();
    let colour = draws.pick(&department.colours).clone();
    let size = draws.pick(&product_type.sizes);
    let by_synonym = draws.chance(TITLES_WITH_SYNONYM);
    let silent = draws.chance(TITLES_WITHOUT_ATTRIBUTE);
    let noun = if by_synonym { &product_type.synonym } else { &product_type.name };
    let title = match department.titles {
        Titles::Model => format!("{} {size}", draws.pick(&department.models)),
        Titles::Descriptive if silent => format!("{brand} {}, {size}, {}", capitalised(noun), capitalised(&colour)),
        Titles::Descriptive => {
            format!("{brand} {} {}, {size}, {}", capitalised(&attribute), capitalised(noun), capitalised(&colour))
        }
    };
    // What a title leaves unsaid must stand in the description, or the product could not be found at all.
    let names_itself = by_synonym || silent || department.titles == Titles::Model || draws.chance(DESCRIPTIVE_TEXTS);
    let nature = Nature { slug: Some(product_type.slug.clone()), attribute, colour };
    let description = description(assortment, department, product_type, &brand, &nature, names_itself, draws)?;
    Ok(Product {
        item_id: String::new(),
        title,
        description,
        brand,
        category: capitalised(&product_type.plural),
        taxonomy: format!("{}/{}", department.node, product_type.slug),
        price: price(product_type.price, draws),
        rating: rating(draws),
        listed: String::new(),
        nature,
    })
}

fn description(
    assortment: &Assortment,
    department: &Department,
    product_type: &ProductType,
    brand: &str,
    nature: &Nature,
    names_itself: bool,
    draws: &mut Draws,
) -> Result<String, GenerateError> {
    let mut sentences = Vec::new();
    let mut features: Vec<&String> = product_type.features.iter().collect();
    draws.shuffle(&mut features);
    if names_itself {
        let Nature { attribute, colour, .. } = nature;
        let ProductType { name, lover, .. } = product_type;
        let by = if department.titles == Titles::Model { format!(" by {brand}") } else { String::new() };
        sentences.push(format!("The {attribute} {name} in {colour}{by} for {lover}."));
    }
    sentences.extend(features.into_iter().take(if names_itself { 1 } else { 2 }).cloned());

    let mut others: Vec<&String> = product_type.goes_with.iter().collect();
    draws.shuffle(&mut others);
    let first_form = draws.below(MENTION_FORMS);
    let mentions = 1 + usize::from(draws.chance(SECOND_MENTION));
    for (number, slug) in others.into_iter().take(mentions).enumerate() {
        let (shelf, other) = assortment.named(slug)?;
        sentences.push(mention(first_form + number, shelf, other, draws));
    }
    if draws.chance(OTHER_COLOURS) {
        let mut colours: Vec<&String> = department.colours.iter().filter(|colour| **colour != nature.colour).collect();
        draws.shuffle(&mut colours);
        if let [first, second, ..] = colours[..] {
            sentences.push(format!("Also comes in {first} and {second}."));
        }
    }
    let other_attribute = draws.pick(&product_type.attributes);
    if draws.chance(OTHER_ATTRIBUTE) && *other_attribute != nature.attribute {
        sentences.push(format!("There is a {other_attribute} model by {brand}, too."));
    }
    if draws.chance(GUARANTEE) {
        sentences.push(format!("{brand} {} come with a three-year guarantee.", product_type.plural));
    }
    Ok(sentences.join(" "))
}

/// Number of forms that [`mention`] knows.
const MENTION_FORMS: usize = 5;

/// Returns a sentence about another product.
fn mention(form: usize, shelf: &Department, other: &ProductType, draws: &mut Draws) -> String {
    let ProductType { name, plural, lover, .. } = other;
    let attribute = draws.pick(&other.attributes);
    let brand = draws.pick(&shelf.brands);
    let colour = draws.pick(&shelf.colours);
    match form % MENTION_FORMS {
        0 => format!("Goes well with your {name}, and best with the {attribute} one by {brand}."),
        1 => format!("Makes a gift for {lover}, together with {plural} in {colour}."),
        2 => format!("Shoppers also put {plural} in the basket."),
        3 => format!("Matches the {colour} {name} by {brand}."),
        _ => format!("Looks good next to your {name}."),
    }
}

fn accessory(department: &Department, product_type: &ProductType, draws: &mut Draws) -> Option<Product> {
    let title = product_type.accessory.clone()?;
    let brand = draws.pick(&department.brands).clone();
    let colour = draws.pick(&department.colours).clone();
    Some(Product {
        item_id: String::new(),
        title,
        description: format!("Made for every {} of our range. By {brand}, in {colour}.", product_type.name),
        brand,
        category: "Accessories".to_owned(),
        taxonomy: format!("{}/accessories", department.node),
        price: price([4.0, 19.0], draws),
        rating: rating(draws),
        listed: String::new(),
        nature: Nature { slug: None, attribute: String::new(), colour },
    })
}

/// Returns a price that ends in .95, .49 or .00; cheap ones are more frequent.
fn price([low, high]: [f64; 2], draws: &mut Draws) -> f64 {
    let share = draws.unit();
    let whole = (low + (high - low) * share * share).floor();
    whole + draws.pick(&[0.95, 0.95, 0.49, 0.0])
}

/// Returns a number of stars from 3.2 to 4.9.
fn rating(draws: &mut Draws) -> f64 {
    (32 + draws.below(18)) as f64 / 10.0
}

/// Returns the day on which the product came on sale, such as `2025-03-14`: one of the years 2023 to 2025, before any
/// search.
fn listed(item_id: &str) -> String {
    const MONTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    // FNV-1a; the product with an odd number brings its low bits, in which neighbouring ids differ, to the top.
    let hash = item_id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3_u64));
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let (year, mut day) = (2023 + mixed / 365 % 3, mixed % 365);
    let mut month = 0;
    // 2024-02-29 is never drawn.
    while day >= MONTHS[month] {
        day -= MONTHS[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, day + 1)
}

/// Returns the text with each word capitalised.
fn capitalised(text: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    text.split(' ').map(word).collect::<Vec<String>>().join(" ")
}
