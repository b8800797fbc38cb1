//! Pure rules of the tree.

use super::model::{Organisation, OrganisationKind};
use crate::ids::OrganisationId;

/// The path of a node with `code` under a node with the path `parent`.
pub fn path(parent: Option<&str>, code: &str) -> String {
    format!("{}{code}/", parent.unwrap_or("/"))
}

/// The paths of the node at `path` and of all nodes above it, the root's first.
pub fn lineage(path: &str) -> Vec<String> {
    let ends = path.char_indices().filter(|(place, letter)| *place > 0 && *letter == '/');
    ends.filter_map(|(place, _)| path.get(..=place).map(str::to_owned)).collect()
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
    fn a_lineage_goes_from_the_root_to_the_node() {
        assert_eq!(lineage("/a/b-c/d/"), ["/a/", "/a/b-c/", "/a/b-c/d/"]);
        assert_eq!(lineage("/a/"), ["/a/"]);
        assert_eq!(lineage(""), [""; 0]);
    }

    #[test]
    fn a_path_is_a_prefix_of_its_subtree_only() {
        let district = path(None, "longgang");
        let street = path(Some(&district), "street-longgang");
        assert_eq!(street, "/longgang/street-longgang/");
        assert!(street.starts_with(&district));
        assert!(!path(Some(&district), "street-longgang-east").starts_with(&street));
    }
}
