-- 003: who may use private Realtime channels. Optional: rooms work over public channels without it.
--
-- A private channel asks these policies whenever somebody joins. With the anon key one may then use the topics of rooms,
-- room:ABC123, for broadcasts and presence, and no others. So that public channels are refused, switch off
-- "Allow public access" in the project's Realtime settings as well.
--
-- Run it after 002; running it again changes nothing. On a PostgreSQL without Supabase's Realtime it does nothing.

DO $$
BEGIN
  IF to_regclass('realtime.messages') IS NULL OR to_regprocedure('realtime.topic()') IS NULL THEN
    RAISE NOTICE 'there is no Supabase Realtime in this database: no policies for private channels were made';
    RETURN;
  END IF;

  -- Looked up rather than dropped and made again: the table is Supabase's own, and nobody is locked out for a moment.
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_policies
                 WHERE schemaname = 'realtime' AND tablename = 'messages' AND policyname = 'rooms_receive') THEN
    CREATE POLICY rooms_receive ON realtime.messages FOR SELECT TO anon, authenticated
      USING (extension IN ('broadcast', 'presence')
             AND realtime.topic() ~ '^room:([A-Z0-9]{6}|[A-Z]{2,7}-[0-9]{1,2}|[A-Z]{8}-[0-9])$');
  END IF;

  IF NOT EXISTS (SELECT FROM pg_catalog.pg_policies
                 WHERE schemaname = 'realtime' AND tablename = 'messages' AND policyname = 'rooms_send') THEN
    CREATE POLICY rooms_send ON realtime.messages FOR INSERT TO anon, authenticated
      WITH CHECK (extension IN ('broadcast', 'presence')
                  AND realtime.topic() ~ '^room:([A-Z0-9]{6}|[A-Z]{2,7}-[0-9]{1,2}|[A-Z]{8}-[0-9])$');
  END IF;
END
$$;
