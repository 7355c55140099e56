"""Which parameters of an address only say where a reader came from."""

from __future__ import annotations

import regex

TRACKING = regex.compile(
    r"utm_.*|fbclid|gclid|gclsrc|dclid|gbraid|wbraid|msclkid|yclid|ysclid|twclid|ttclid|igshid|igsh|li_fat_id|mc_cid|mc_eid"
    r"|mkt_tok|oly_(?:anon|enc)_id|vero_id|_hsenc|_hsmi|__hs.*|hsctatracking|_ga|_gl|_ke|s_cid|cmpid|ncid|wt_mc|at_(?:medium|campaign|.*_?name)"
    r"|pk_.*|mtm_.*|spm|scm|ref_src|ref_url|sr_share|trk|trkcampaign",
    regex.I,
)
