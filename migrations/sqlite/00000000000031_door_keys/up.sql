-- PostgreSQL gives up foreign keys of what is written at the door, which there lock a row each. Here they lock nothing, and stay.
SELECT 1;
