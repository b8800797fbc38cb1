DROP TABLE legal_members;
DROP TABLE legal_referrals;
DROP TABLE legal_lawyer_changes;
DROP TABLE legal_turns;
DROP TABLE legal_lawyer_clients;
DROP TABLE legal_lawyers;
DROP TABLE legal_stations;
