"""Keys of the lanes: frozen names that the engine spreads evenly over 1, 2, 4, 8, ... processes.

The engine sends a key to worker ``SipHash-1-3(key) mod workers``. Each name ends in letters chosen so that
its hash is its lane's number modulo 64; a test computes the hash anew. A changed name would lose its state.

>>> lane_names("shard", 2)
['shard-00aj', 'shard-01e']
"""

from __future__ import annotations

MOST_LANES = 64

_ENDINGS = {
    "shard": (  # noqa: SIM905 - a table reads better in rows
        "aj e au fa ba ai gk ca as ni br b cf w eh k ap ai ba cj p ac k bh a bv r ej aa g b a q "
        "af o ar gp i gc bz ai b ab c ed at co af dm bf gi x ar bj at dn cl r gx dy bn i ba cr "
    ).split(),
    "cases": (  # noqa: SIM905
        "aq cx at q r ae az bs bk aq gc n ae bu cx bf bu bn bp ao ai f m e cx ak h cf av bl v aq "
        "av a u be c b ax n am an v ae ej s be l y z p as cl bd di ba ce bf cn og cu w cc v "
    ).split(),
}


def lane_names(kind: str, count: int) -> list[str]:
    """The keys of ``count`` lanes of a kind, ``shard`` or ``cases``.

    Raises:
        ValueError: fewer than one lane or more than 64.
    """
    if not 1 <= count <= MOST_LANES:
        raise ValueError(f"a run has 1 to {MOST_LANES} lanes, found {count}; give another --lanes")
    return [f"{kind}-{i:02d}{ending}" for i, ending in enumerate(_ENDINGS[kind][:count])]
