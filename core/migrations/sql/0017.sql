-- What pages read of many rows at once, as narrow as it can be. It follows from the other tables, as in 0006.sql.

-- --- the words of articles --------------------------------------------------------------------------------------------

-- A frequent word is looked for in articles one by one, in the list's order. Those of a long text lie outside of its row, in five
-- pages; here an article's words are in one, without their places. A column of article_list would make its every count read them.
ALTER TABLE article_words SET (toast_tuple_target = 8160), ALTER COLUMN search SET STORAGE MAIN;

CREATE FUNCTION on_articles_new_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO article_words (article_id, search) SELECT id, strip(search) FROM new_rows ORDER BY id;
    RETURN NULL;
END $$;
CREATE TRIGGER articles_new_words AFTER INSERT ON articles REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION on_articles_new_words();

CREATE FUNCTION on_article_words_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE article_words SET search = strip(NEW.search) WHERE article_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER article_words_changed AFTER UPDATE OF title, body ON articles FOR EACH ROW
    EXECUTE FUNCTION on_article_words_changed();

CREATE FUNCTION rebuild_words() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM article_words;
    INSERT INTO article_words (article_id, search) SELECT id, strip(search) FROM articles ORDER BY id;
END $$;

-- --- decisions of all time --------------------------------------------------------------------------------------------

-- Sums of the decisions that stand, by each thing that Quality tells apart, as rows that a write appends and fold_decisions() puts
-- together. Without days: those of some weeks are few enough to be counted.
CREATE FUNCTION parts_of(d standing_decisions, OUT about text, OUT name text, OUT confidence numeric, OUT error numeric)
RETURNS SETOF record LANGUAGE sql IMMUTABLE AS $$
    SELECT part.about, part.name, 0::numeric, 0::numeric
    FROM (VALUES (CASE WHEN d.blind THEN 'blind' ELSE 'in sight' END, coalesce(d.verdict, '')), ('kind', d.kind), ('category', d.category),
          ('publisher', d.publisher_id::text), ('model', d.model), ('prompt version', d.prompt_version)) AS part (about, name)
    UNION ALL
    SELECT forecast.about, least(floor(round(forecast.value * 10, 6)), 9)::int::text, forecast.value,
           (forecast.value - (d.decision = 'accepted')::int) ^ 2
    FROM (VALUES ('given', d.confidence::numeric), ('researched', greatest(0, least(1, d.confidence + d.adjustment))::numeric))
         AS forecast (about, value)
    WHERE d.decision IN ('accepted', 'rejected')
$$;

CREATE FUNCTION on_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO decision_sums (reviewer, in_bulk, about, name, decision, number, confidence, error)
        SELECT o.reviewer, o.in_bulk, p.about, p.name, o.decision, -count(*), -sum(p.confidence), -sum(p.error)
        FROM old_rows o, parts_of(ROW(o.*)::standing_decisions) p GROUP BY 1, 2, 3, 4, 5;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO decision_sums (reviewer, in_bulk, about, name, decision, number, confidence, error)
        SELECT n.reviewer, n.in_bulk, p.about, p.name, n.decision, count(*), sum(p.confidence), sum(p.error)
        FROM new_rows n, parts_of(ROW(n.*)::standing_decisions) p GROUP BY 1, 2, 3, 4, 5;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER decisions_new AFTER INSERT ON standing_decisions REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION on_decisions();
CREATE TRIGGER decisions_changed AFTER UPDATE ON standing_decisions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION on_decisions();
CREATE TRIGGER decisions_gone AFTER DELETE ON standing_decisions REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION on_decisions();

CREATE FUNCTION fold_decisions() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(7264420) THEN RETURN; END IF;
    WITH keys AS (SELECT DISTINCT about, name FROM decision_sums WHERE NOT folded),
    gone AS (DELETE FROM decision_sums r USING keys k WHERE r.about = k.about AND r.name = k.name RETURNING r.*)
    INSERT INTO decision_sums (reviewer, in_bulk, about, name, decision, number, confidence, error, folded)
    SELECT reviewer, in_bulk, about, name, decision, sum(number), sum(confidence), sum(error), true FROM gone GROUP BY 1, 2, 3, 4, 5
    HAVING sum(number) <> 0;
END $$;

CREATE FUNCTION rebuild_decisions() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7264420);
    DELETE FROM decision_sums;
    INSERT INTO decision_sums (reviewer, in_bulk, about, name, decision, number, confidence, error, folded)
    SELECT d.reviewer, d.in_bulk, p.about, p.name, d.decision, count(*), sum(p.confidence), sum(p.error), true
    FROM standing_decisions d, parts_of(d) p GROUP BY 1, 2, 3, 4, 5;
END $$;
