-- What lists filter and sort by, and roll-ups of what charts count. All of it follows from the other tables: triggers keep it
-- right in the transaction that writes, and rebuild_lists() makes it anew.

-- --- the list of articles ---------------------------------------------------------------------------------------------

-- A cell is a set of articles that every filter but dates and words takes or leaves as a whole, so that a list is a merge
-- of a few hundred stretches of an index, in any order, whatever the filter: also where nothing is analysed, or everything.
CREATE VIEW article_facts AS
SELECT a.id, a.publisher_id, a.published_at, a.body_chars, a.promise, a.story_id, a.is_active, a.is_sample,
       least(a.body_chars / 1000, 4) AS thousands,
       ARRAY(SELECT DISTINCT n.configuration_hash::text FROM analyses n
             WHERE n.article_id = a.id AND n.content_hash = a.content_hash AND n.completed_at IS NOT NULL
             ORDER BY 1) AS analysed_with
FROM articles a;

CREATE FUNCTION list_articles(ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- Locked first and in order: what the next statements read is then what was committed last, and nobody waits in a circle.
    PERFORM 1 FROM article_list WHERE article_id = ANY (ids) ORDER BY article_id FOR UPDATE;
    INSERT INTO article_cells (publisher_id, analysed_with, thousands, is_active, is_sample)
    SELECT DISTINCT f.publisher_id, f.analysed_with, f.thousands, f.is_active, f.is_sample FROM article_facts f
    WHERE f.id = ANY (ids) AND NOT EXISTS (
        SELECT 1 FROM article_cells c WHERE c.publisher_id = f.publisher_id AND c.analysed_with = f.analysed_with
            AND c.thousands = f.thousands AND c.is_active = f.is_active AND c.is_sample = f.is_sample)
    ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT DO NOTHING;
    INSERT INTO article_list AS l (article_id, cell_id, published_at, body_chars, promise, story_id)
    SELECT f.id, c.id, f.published_at, f.body_chars, f.promise, f.story_id
    FROM article_facts f JOIN article_cells c USING (publisher_id, analysed_with, thousands, is_active, is_sample)
    WHERE f.id = ANY (ids) ORDER BY f.id
    ON CONFLICT (article_id) DO UPDATE
    SET cell_id = excluded.cell_id, published_at = excluded.published_at, body_chars = excluded.body_chars,
        promise = excluded.promise, story_id = excluded.story_id
    WHERE (l.cell_id, l.published_at, l.body_chars, l.promise, l.story_id)
        IS DISTINCT FROM (excluded.cell_id, excluded.published_at, excluded.body_chars, excluded.promise, excluded.story_id);
END $$;

-- --- what is counted by day -------------------------------------------------------------------------------------------

-- Roll-ups are sums of rows: a write appends what it adds or takes away, so that no two writers wait for one another, and
-- fold_rollups() puts the rows of one key together from time to time. Days are those of the article, in UTC.
CREATE FUNCTION utc_day(moment timestamptz) RETURNS date LANGUAGE sql IMMUTABLE AS
    $$ SELECT (moment AT TIME ZONE 'UTC')::date $$;

CREATE FUNCTION fold_rollups() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(7264420) THEN RETURN; END IF;
    WITH keys AS (SELECT DISTINCT day, publisher_id FROM publisher_days WHERE NOT folded),
    gone AS (DELETE FROM publisher_days r USING keys k WHERE r.day = k.day AND r.publisher_id = k.publisher_id RETURNING r.*)
    INSERT INTO publisher_days (day, publisher_id, articles, signals, accepted, folded)
    SELECT day, publisher_id, sum(articles), sum(signals), sum(accepted), true FROM gone GROUP BY 1, 2
    HAVING (sum(articles), sum(signals), sum(accepted)) <> (0, 0, 0);
    WITH keys AS (SELECT DISTINCT day, kind FROM signal_days WHERE NOT folded),
    gone AS (DELETE FROM signal_days r USING keys k WHERE r.day = k.day AND r.kind = k.kind RETURNING r.*)
    INSERT INTO signal_days (day, kind, verdict, decision, signals, folded)
    SELECT day, kind, verdict, decision, sum(signals), true FROM gone GROUP BY 1, 2, 3, 4 HAVING sum(signals) <> 0;
    WITH keys AS (SELECT DISTINCT category FROM signal_categories WHERE NOT folded),
    gone AS (DELETE FROM signal_categories r USING keys k WHERE r.category = k.category RETURNING r.*)
    INSERT INTO signal_categories (category, signals, folded)
    SELECT category, sum(signals), true FROM gone GROUP BY 1 HAVING sum(signals) <> 0;
END $$;

-- --- decisions that stand ---------------------------------------------------------------------------------------------

CREATE VIEW decision_facts AS
SELECT s.id AS signal_id, r.created_at AS decided_at, r.reviewer, r.bulk IS NOT NULL AS in_bulk, r.blind, r.verdict, r.decision,
       s.kind, s.category, s.publisher_id, a.model, a.prompt_version, s.confidence,
       coalesce((SELECT v.confidence_adjustment FROM validations v WHERE v.signal_id = s.id ORDER BY v.id DESC LIMIT 1), 0) AS adjustment
FROM signals s JOIN reviews r ON r.id = s.review_id JOIN analyses a ON a.id = s.analysis_id;

CREATE FUNCTION note_decisions(ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM standing_decisions WHERE signal_id = ANY (ids);
    INSERT INTO standing_decisions (signal_id, decided_at, reviewer, in_bulk, blind, verdict, decision, kind, category,
                                    publisher_id, model, prompt_version, confidence, adjustment)
    SELECT * FROM decision_facts WHERE signal_id = ANY (ids) ORDER BY signal_id;
END $$;

-- --- everything anew --------------------------------------------------------------------------------------------------

CREATE FUNCTION rebuild_lists() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7264420);
    UPDATE signals s SET publisher_id = a.publisher_id, published_at = a.published_at, is_sample = a.is_sample, batch_id = n.batch_id
    FROM articles a, analyses n
    WHERE a.id = s.article_id AND n.id = s.analysis_id
        AND (s.publisher_id, s.published_at, s.is_sample, s.batch_id)
            IS DISTINCT FROM (a.publisher_id, a.published_at, a.is_sample, n.batch_id);
    DELETE FROM article_list;
    INSERT INTO article_cells (publisher_id, analysed_with, thousands, is_active, is_sample)
    SELECT DISTINCT publisher_id, analysed_with, thousands, is_active, is_sample FROM article_facts ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT DO NOTHING;
    INSERT INTO article_list (article_id, cell_id, published_at, body_chars, promise, story_id)
    SELECT f.id, c.id, f.published_at, f.body_chars, f.promise, f.story_id
    FROM article_facts f JOIN article_cells c USING (publisher_id, analysed_with, thousands, is_active, is_sample);
    DELETE FROM publisher_days;
    INSERT INTO publisher_days (day, publisher_id, articles, signals, accepted, folded)
    SELECT day, publisher_id, sum(articles), sum(signals), sum(accepted), true
    FROM (
        SELECT utc_day(published_at) AS day, publisher_id, count(*) AS articles, 0 AS signals, 0 AS accepted FROM articles GROUP BY 1, 2
        UNION ALL
        SELECT utc_day(published_at), publisher_id, 0, count(*), count(*) FILTER (WHERE decision = 'accepted') FROM signals GROUP BY 1, 2
    ) AS both_kinds
    GROUP BY 1, 2;
    DELETE FROM signal_days;
    INSERT INTO signal_days (day, kind, verdict, decision, signals, folded)
    SELECT utc_day(published_at), kind, verdict, decision, count(*), true FROM signals GROUP BY 1, 2, 3, 4;
    DELETE FROM signal_categories;
    INSERT INTO signal_categories (category, signals, folded)
    SELECT coalesce(corrected_category, category), count(*), true FROM signals GROUP BY 1;
    DELETE FROM standing_decisions;
    INSERT INTO standing_decisions (signal_id, decided_at, reviewer, in_bulk, blind, verdict, decision, kind, category,
                                    publisher_id, model, prompt_version, confidence, adjustment)
    SELECT * FROM decision_facts;
END $$;

-- --- triggers ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION on_articles_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM list_articles(ARRAY(SELECT id FROM new_rows));
    INSERT INTO publisher_days (day, publisher_id, articles)
    SELECT utc_day(published_at), publisher_id, count(*) FROM new_rows GROUP BY 1, 2;
    RETURN NULL;
END $$;
CREATE TRIGGER articles_new AFTER INSERT ON articles REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION on_articles_new();

CREATE FUNCTION on_article_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM list_articles(ARRAY[NEW.id]);
    IF (OLD.publisher_id, utc_day(OLD.published_at)) <> (NEW.publisher_id, utc_day(NEW.published_at)) THEN
        INSERT INTO publisher_days (day, publisher_id, articles)
        VALUES (utc_day(OLD.published_at), OLD.publisher_id, -1), (utc_day(NEW.published_at), NEW.publisher_id, 1);
    END IF;
    UPDATE signals SET publisher_id = NEW.publisher_id, published_at = NEW.published_at, is_sample = NEW.is_sample
    WHERE article_id = NEW.id AND (publisher_id, published_at, is_sample) IS DISTINCT FROM (NEW.publisher_id, NEW.published_at, NEW.is_sample);
    RETURN NULL;
END $$;
CREATE TRIGGER article_changed AFTER UPDATE ON articles FOR EACH ROW
    WHEN ((OLD.publisher_id, OLD.published_at, OLD.body_chars, OLD.promise, OLD.story_id, OLD.is_active, OLD.is_sample, OLD.content_hash)
          IS DISTINCT FROM
          (NEW.publisher_id, NEW.published_at, NEW.body_chars, NEW.promise, NEW.story_id, NEW.is_active, NEW.is_sample, NEW.content_hash))
    EXECUTE FUNCTION on_article_changed();

CREATE FUNCTION on_articles_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO publisher_days (day, publisher_id, articles)
    SELECT utc_day(published_at), publisher_id, -count(*) FROM old_rows GROUP BY 1, 2;
    RETURN NULL;
END $$;
CREATE TRIGGER articles_gone AFTER DELETE ON articles REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION on_articles_gone();

CREATE FUNCTION on_analyses_new() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[] := ARRAY(SELECT DISTINCT article_id FROM new_rows WHERE completed_at IS NOT NULL);
BEGIN
    IF ids <> '{}' THEN PERFORM list_articles(ids); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER analyses_new AFTER INSERT ON analyses REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION on_analyses_new();

CREATE FUNCTION on_analyses_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[] := ARRAY(SELECT DISTINCT article_id FROM new_rows);
BEGIN
    PERFORM list_articles(ids);
    -- An import that moved the article while its signals were being written has not seen them; it has been waited for by now.
    UPDATE signals s SET publisher_id = a.publisher_id, published_at = a.published_at, is_sample = a.is_sample
    FROM articles a
    WHERE s.article_id = ANY (ids) AND a.id = s.article_id
        AND (s.publisher_id, s.published_at, s.is_sample) IS DISTINCT FROM (a.publisher_id, a.published_at, a.is_sample);
    IF EXISTS (SELECT 1 FROM old_rows o JOIN new_rows n USING (id) WHERE (o.model, o.prompt_version) <> (n.model, n.prompt_version)) THEN
        PERFORM note_decisions(ARRAY(SELECT id FROM signals WHERE analysis_id IN (SELECT id FROM new_rows)));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER analyses_changed AFTER UPDATE ON analyses REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION on_analyses_changed();

CREATE FUNCTION on_analyses_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM list_articles(ARRAY(SELECT DISTINCT article_id FROM old_rows));
    RETURN NULL;
END $$;
CREATE TRIGGER analyses_gone AFTER DELETE ON analyses REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION on_analyses_gone();

CREATE FUNCTION on_signal_coming() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT a.publisher_id, a.published_at, a.is_sample, n.batch_id
    INTO NEW.publisher_id, NEW.published_at, NEW.is_sample, NEW.batch_id
    FROM articles a, analyses n WHERE a.id = NEW.article_id AND n.id = NEW.analysis_id;
    RETURN NEW;
END $$;
CREATE TRIGGER signal_coming BEFORE INSERT ON signals FOR EACH ROW EXECUTE FUNCTION on_signal_coming();

CREATE FUNCTION on_signals_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO publisher_days (day, publisher_id, signals, accepted)
    SELECT utc_day(published_at), publisher_id, count(*), count(*) FILTER (WHERE decision = 'accepted') FROM new_rows GROUP BY 1, 2;
    INSERT INTO signal_days (day, kind, verdict, decision, signals)
    SELECT utc_day(published_at), kind, verdict, decision, count(*) FROM new_rows GROUP BY 1, 2, 3, 4;
    INSERT INTO signal_categories (category, signals)
    SELECT coalesce(corrected_category, category), count(*) FROM new_rows GROUP BY 1;
    RETURN NULL;
END $$;
CREATE TRIGGER signals_new AFTER INSERT ON signals REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION on_signals_new();

CREATE FUNCTION on_signals_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[];
BEGIN
    INSERT INTO publisher_days (day, publisher_id, signals, accepted)
    SELECT day, publisher_id, sum(n), sum(n * accepted) FROM (
        SELECT utc_day(published_at) AS day, publisher_id, -1 AS n, (decision IS NOT DISTINCT FROM 'accepted')::int AS accepted FROM old_rows
        UNION ALL
        SELECT utc_day(published_at), publisher_id, 1, (decision IS NOT DISTINCT FROM 'accepted')::int FROM new_rows
    ) AS moved
    GROUP BY 1, 2 HAVING (sum(n), sum(n * accepted)) <> (0, 0);
    INSERT INTO signal_days (day, kind, verdict, decision, signals)
    SELECT day, kind, verdict, decision, sum(n) FROM (
        SELECT utc_day(published_at) AS day, kind, verdict, decision, -1 AS n FROM old_rows
        UNION ALL
        SELECT utc_day(published_at), kind, verdict, decision, 1 FROM new_rows
    ) AS moved
    GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0;
    INSERT INTO signal_categories (category, signals)
    SELECT category, sum(n) FROM (
        SELECT coalesce(corrected_category, category) AS category, -1 AS n FROM old_rows
        UNION ALL
        SELECT coalesce(corrected_category, category), 1 FROM new_rows
    ) AS moved
    GROUP BY 1 HAVING sum(n) <> 0;
    ids := ARRAY(
        SELECT n.id FROM new_rows n JOIN old_rows o USING (id)
        WHERE (n.review_id, n.kind, n.category, n.publisher_id, n.confidence)
            IS DISTINCT FROM (o.review_id, o.kind, o.category, o.publisher_id, o.confidence)
            AND (n.review_id IS NOT NULL OR o.review_id IS NOT NULL));
    IF ids <> '{}' THEN PERFORM note_decisions(ids); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER signals_changed AFTER UPDATE ON signals REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION on_signals_changed();

CREATE FUNCTION on_signals_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO publisher_days (day, publisher_id, signals, accepted)
    SELECT utc_day(published_at), publisher_id, -count(*), -count(*) FILTER (WHERE decision = 'accepted') FROM old_rows GROUP BY 1, 2;
    INSERT INTO signal_days (day, kind, verdict, decision, signals)
    SELECT utc_day(published_at), kind, verdict, decision, -count(*) FROM old_rows GROUP BY 1, 2, 3, 4;
    INSERT INTO signal_categories (category, signals)
    SELECT coalesce(corrected_category, category), -count(*) FROM old_rows GROUP BY 1;
    RETURN NULL;
END $$;
CREATE TRIGGER signals_gone AFTER DELETE ON signals REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION on_signals_gone();

CREATE FUNCTION on_validations_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE standing_decisions d SET adjustment = n.confidence_adjustment
    FROM new_rows n WHERE n.signal_id = d.signal_id AND NOT EXISTS (SELECT 1 FROM new_rows m WHERE m.signal_id = n.signal_id AND m.id > n.id);
    RETURN NULL;
END $$;
CREATE TRIGGER validations_new AFTER INSERT ON validations REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION on_validations_new();

CREATE FUNCTION on_review_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_decisions(ARRAY[NEW.signal_id]);
    RETURN NULL;
END $$;
CREATE TRIGGER review_changed AFTER UPDATE ON reviews FOR EACH ROW EXECUTE FUNCTION on_review_changed();
