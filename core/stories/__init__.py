"""Stories: articles that tell the same text, by several publishers or at several addresses, form one group.

``likeness`` decides, purely; ``groups`` keeps ``articles.story_id`` and says what a story is made of.
"""
