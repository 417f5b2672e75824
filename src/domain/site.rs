//! Guance's and TrueWatch's sites by name.
//!
//! From the endpoint tables of both vendors' OpenAPI documents. A site whose host the vendors'
//! own sources give differently has no entry: a key sent to the wrong host is a key given away,
//! so its user must look it up and write `base_url`.

/// A site's name and where its OpenAPI is.
const SITES: [(&str, &str); 14] = [
    ("cn1", "https://openapi.guance.com"),
    ("cn2", "https://aws-openapi.guance.com"),
    ("cn4", "https://cn4-openapi.guance.com"),
    ("cn5", "https://cn5-openapi.guance.com"),
    ("cn6", "https://cn6-openapi.guance.one"),
    ("us1", "https://us1-openapi.guance.com"),
    ("eu1", "https://eu1-openapi.guance.one"),
    ("ap1", "https://ap1-openapi.guance.one"),
    ("truewatch-us1", "https://us1-openapi.truewatch.com"),
    ("truewatch-eu1", "https://eu1-openapi.truewatch.com"),
    ("truewatch-ap1", "https://ap1-openapi.truewatch.com"),
    ("truewatch-za1", "https://za1-openapi.truewatch.com"),
    ("truewatch-id1", "https://id1-openapi.truewatch.com"),
    ("truewatch-fwt", "https://fwt-openapi.truewatch.com"),
];

/// Sites that exist, or did, and whose host the sources give differently.
const DISPUTED: [&str; 3] = ["cn3", "za1", "id1"];

/// What is known of a site's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// Its OpenAPI is at this base URL.
    At(&'static str),
    /// It is a site, and the sources do not agree where.
    Disputed,
}

/// Looks a site up; `None` where there is none of that name.
pub fn find(name: &str) -> Option<Site> {
    if DISPUTED.contains(&name) {
        return Some(Site::Disputed);
    }
    SITES
        .iter()
        .find(|(site, _)| *site == name)
        .map(|(_, base_url)| Site::At(base_url))
}

/// The names that have a base URL.
pub fn names() -> impl Iterator<Item = &'static str> {
    SITES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_site_is_an_https_origin_and_no_two_share_one() {
        for (index, (name, base_url)) in SITES.iter().enumerate() {
            assert!(base_url.starts_with("https://"), "{name}");
            assert!(!base_url.ends_with('/'), "{name}");
            for (other, other_url) in &SITES[index + 1..] {
                assert_ne!(name, other);
                assert_ne!(base_url, other_url);
            }
        }
    }

    #[test]
    fn a_site_with_two_addresses_in_the_sources_has_none_here() {
        for name in ["cn3", "za1", "id1"] {
            assert_eq!(find(name), Some(Site::Disputed), "{name}");
        }
        assert_eq!(find("cn1"), Some(Site::At("https://openapi.guance.com")));
        assert_eq!(find("mars"), None);
        assert!(names().all(|name| matches!(find(name), Some(Site::At(_)))));
    }
}
