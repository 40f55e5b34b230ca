//! The list of profiles: filters and pages. Promise: the order never changes, so that whoever
//! turns the pages sees each profile once.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::profile::Profile;
use crate::api::fault::Fault;

const SIZE_DEFAULT: u32 = 20;
const SIZE_MAX: u32 = 250;

/// Which profiles, and which page of them. Several filters must all be met.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Page to answer with, from 1.
    #[serde(rename = "page[number]")]
    #[param(minimum = 1, maximum = 1_000_000_000)]
    number: Option<u32>,
    /// Profiles on a page, 20 if nothing is said.
    #[serde(rename = "page[size]")]
    #[param(minimum = 1, maximum = 250)]
    size: Option<u32>,
    /// Only profiles of exactly this name.
    #[serde(rename = "filter[name]")]
    name: Option<String>,
    /// Only profiles of exactly this name.
    #[serde(rename = "filter[name][eq]")]
    name_eq: Option<String>,
    /// Only profiles whose name has this in it, in upper or lower case.
    #[serde(rename = "filter[name][contains]")]
    name_contains: Option<String>,
}

/// A page.
#[derive(Serialize, ToSchema)]
#[schema(as = MessagingProfilePageMeta)]
pub struct Meta {
    total_pages: u64,
    total_results: u64,
    page_number: u32,
    page_size: u32,
}

impl Asked {
    /// # Errors
    /// 422 for a page that cannot be.
    pub fn check(&self) -> Result<(), Fault> {
        if self.number.is_some_and(|number| !(1..=1_000_000_000).contains(&number)) {
            return Err(Fault::invalid("page[number]", "page[number] counts from 1."));
        }
        if self.size.is_some_and(|size| !(1..=SIZE_MAX).contains(&size)) {
            return Err(Fault::invalid("page[size]", "page[size] must be in 1 to 250."));
        }
        Ok(())
    }

    /// The page of those that meet the filters: created ones by their time, then those that were
    /// only billed, by their id.
    #[must_use]
    pub fn page(&self, profiles: Vec<Profile>) -> (Vec<Profile>, Meta) {
        let mut wanted: Vec<_> = profiles.into_iter().filter(|it| self.takes(it)).collect();
        wanted.sort_by(|a, b| a.order().cmp(&b.order()));
        let (number, size) = (self.number.unwrap_or(1), self.size.unwrap_or(SIZE_DEFAULT));
        let total_results = wanted.len() as u64;
        let meta = Meta {
            total_pages: total_results.div_ceil(u64::from(size)),
            total_results,
            page_number: number,
            page_size: size,
        };
        let before = (number as usize - 1).saturating_mul(size as usize);
        (wanted.into_iter().skip(before).take(size as usize).collect(), meta)
    }

    fn takes(&self, profile: &Profile) -> bool {
        let name = profile.name();
        let exactly = [&self.name, &self.name_eq].into_iter().flatten();
        let within = self.name_contains.as_ref().map(|part| part.to_lowercase());
        exactly.into_iter().all(|wanted| name == Some(wanted))
            && within.is_none_or(|part| name.is_some_and(|it| it.to_lowercase().contains(&part)))
    }
}
