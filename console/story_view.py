"""The story on an article's page: who else tells it, and who was first."""

import streamlit as st

from console.components import facts, way
from console.resources import read
from console.words import plain
from core.stories.groups import Member, members


def story(article_id: int) -> None:
    """The articles of this article's story, the first published first; nothing where the article is alone."""
    found = read(lambda session: members(session, article_id))
    if not found:
        return
    with st.container(border=True):
        st.markdown(f"**One story in {len(found)} articles**")
        for place, member in enumerate(found):
            _line(member, is_first=place == 0, is_this=member.id == article_id)


def _line(member: Member, *, is_first: bool, is_this: bool) -> None:
    facts(member.publisher, member.published_at, "first" if is_first else None, "this article" if is_this else None)
    if is_this:
        return
    with st.container(horizontal=True):
        way("article", plain(member.title), icon=":material/menu_book:", query={"id": str(member.id)}, key="story")
        if member.url and member.url.startswith(("http://", "https://")):
            st.link_button("Open at the publisher", member.url, icon=":material/open_in_new:", type="tertiary")
