//! Pure rules of the tree.

use super::model::{Organisation, OrganisationKind};
use crate::ids::OrganisationId;

/// The path of a node with `code` under a node with the path `parent`.
pub fn path(parent: Option<&str>, code: &str) -> String {
    format!("{}{code}/", parent.unwrap_or("/"))
}

/// The sub-district of a new node: itself, or its parent's.
pub fn street(
    id: OrganisationId,
    kind: OrganisationKind,
    parent: Option<&Organisation>,
) -> Option<OrganisationId> {
    if kind == OrganisationKind::SubDistrict { Some(id) } else { parent.and_then(|parent| parent.street_id) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_prefix_of_its_subtree_only() {
        let district = path(None, "longgang");
        let street = path(Some(&district), "street-longgang");
        assert_eq!(street, "/longgang/street-longgang/");
        assert!(street.starts_with(&district));
        assert!(!path(Some(&district), "street-longgang-east").starts_with(&street));
    }
}
