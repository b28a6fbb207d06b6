"""Import: sources (files, feeds, the CoinDesk API) become parsed articles, and parsed articles become rows."""
