/* apply_speed.c -- how long applying and flushing take, for records that are decoded already.
 *
 * One-activity workflows, the transitions of many interleaved; run by hand:
 *     state_apply_speed [workflows [in flight [transitions per flush]]] */
int main(void)
{
    return 0;
}
