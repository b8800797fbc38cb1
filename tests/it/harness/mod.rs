//! What the suite stands on: private servers, and everything that builds a running application for a test.

pub mod servers;
